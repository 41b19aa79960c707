/* colour: whether and in what letters a page is shown. */
#ifndef LOGLOG_RUNNER_COLOUR_H
#define LOGLOG_RUNNER_COLOUR_H

#include "base/err.h"

/* --color=WHEN, for an option table. */
#define COLOUR_HELP "auto (default), always or never; NO_COLOR is never"

/* Whether to use colours on stdout: `when` is the option's value, NULL or
 * "auto": on a terminal that wants them (NO_COLOR and TERM=dumb do not). */
int colour_wanted(int *on, const char *when, struct err *e);
/* 1 when the locale is not UTF-8.  Reads LC_ALL, LC_CTYPE and LANG (and sets
 * LC_CTYPE of this process to them). */
int colour_is_ascii(void);
/* Columns of the terminal on stdout; 80 when it is none. */
int colour_columns(void);

#endif
