/* pages: the files of this folder, embedded as text when the program is
 * built. */
#ifndef LOGLOG_RUNNER_WEB_PAGES_H
#define LOGLOG_RUNNER_WEB_PAGES_H

extern const char index_html[], app_css[], app_js[], chart_js[], dom_js[],
    laws_js[], overview_js[], runs_js[], icon_svg[];

#endif
