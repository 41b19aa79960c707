/* page_impl: what a format of page.h is made of. */
#ifndef LOGLOG_ANALYSIS_PAGE_IMPL_H
#define LOGLOG_ANALYSIS_PAGE_IMPL_H

#include "analysis/page.h"

#define PAGE_SHORT 24 /* a cell of so few bytes is not broken over lines */

/* Texts come as they are; each writer escapes.  section_end and figures_begin
 * may be NULL. */
struct page_writer {
    const char *name;
    void (*begin)(struct page *p, const char *title, const char *subtitle);
    void (*end)(struct page *p);
    void (*section)(struct page *p, const char *title);
    void (*section_end)(struct page *p);
    void (*heading)(struct page *p, const char *title);
    void (*para)(struct page *p, const char *text);
    void (*note)(struct page *p, const char *text);
    void (*list_begin)(struct page *p);
    void (*item)(struct page *p, const char *term, const char *text);
    void (*list_end)(struct page *p);
    /* caption may be NULL; p->cols is set */
    void (*table_begin)(struct page *p, const char *caption,
                        const char *const *head);
    void (*row)(struct page *p, const char *const *cell);
    void (*table_end)(struct page *p);
    void (*figures_begin)(struct page *p);
    void (*figure)(struct page *p, const struct page_figure *f);
    void (*figures_end)(struct page *p);
    void (*fold_begin)(struct page *p, const char *summary);
    void (*fold_end)(struct page *p);
    void (*code)(struct page *p, const char *text);
};
extern const struct page_writer page_html, page_md, page_tex;

/* "-1.2e3", "12 %", "+0.4 %": a number with or without a unit. */
int page_is_number(const char *text);

#endif
