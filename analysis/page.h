/* page: a document with sections, paragraphs, tables and figures, written as
 * one HTML file, as Markdown or as LaTeX.
 *
 * HTML is self-contained: one style sheet, inline SVG, no script, nothing from
 * elsewhere.  Markdown and LaTeX name their figures' files, which the caller
 * writes from page.figure; LaTeX needs pdflatex and the packages of its base
 * installation.  All text is escaped here.  Each format is a struct of
 * functions (page_impl.h). */
#ifndef LOGLOG_ANALYSIS_PAGE_H
#define LOGLOG_ANALYSIS_PAGE_H

#include "base/str.h"

#include <stddef.h>

enum page_format { PAGE_HTML, PAGE_MD, PAGE_TEX };
#define PAGE_FORMATS 3
/* "html", "md", "tex"; -1 for anything else. */
int page_format_parse(const char *name);

#define PAGE_COLS 24 /* most columns of a table */
#define PAGE_NAME 40 /* bytes of a figure's name */

/* A figure of a document, in the order of its numbers. */
struct page_figure {
    char name[PAGE_NAME]; /* letters, digits and '-', unique: for files */
    char section[64];     /* where it stands */
    struct str svg, caption;
    struct str script,
        data; /* for gnuplot, NAME.gp and NAME.dat; empty: none */
};

struct page {
    enum page_format format;
    const struct page_writer *write;
    const char *stem; /* figures are STEM-NAME.svg, or .pdf; borrowed */
    struct str out;
    struct page_figure *figure;
    size_t n_figure, cap;
    int cols;                /* of the open table */
    const char *const *head; /* of the open table until its first row */
    char **cell;             /* LaTeX: its rows so far, cols each */
    size_t n_cell, cap_cell;
    int in_section;
    char section[64]; /* its title */
};

void page_begin(struct page *p, enum page_format format, const char *stem,
                const char *title, const char *subtitle);
/* Closes what is open; out holds the whole text. */
void page_end(struct page *p);
void page_release(struct page *p);

/* A section (its id is made from its title) or a heading inside it. */
void page_section(struct page *p, const char *title);
void page_heading(struct page *p, const char *title);
void page_para(struct page *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A remark that stands out: a refusal, say. */
void page_note(struct page *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Term and description. */
void page_list_begin(struct page *p);
void page_item(struct page *p, const char *term, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void page_list_end(struct page *p);

/* A table; head ends with NULL and is borrowed until the first row.  A cell is
 * text; NULL or "" is empty.  Cells that are numbers are set flush right. */
void page_table_begin(struct page *p, const char *caption,
                      const char *const *head);
void page_row(struct page *p, const char *const *cell);
void page_table_end(struct page *p);

/* Figures stand side by side between begin and end. */
void page_figures_begin(struct page *p);
/* The id for the next figure's SVG, then the figure with its caption. */
void page_figure_id(char id[16], const struct page *p);
void page_figure(struct page *p, const char *name, const char *svg,
                 const char *caption);
/* What gnuplot draws the last figure with; see gnuplot.h.  Both are emptied. */
void page_figure_gnuplot(struct page *p, struct str *script, struct str *data);
void page_figures_end(struct page *p);

/* What is folded away at first: details. */
void page_fold_begin(struct page *p, const char *summary);
void page_fold_end(struct page *p);
void page_code(struct page *p, const char *text);

/* The style sheet of the page; svg_style (svg.h) holds the colours. */
extern const char page_style[];

#endif
