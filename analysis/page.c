/* page: two writers of one document; see page.h. */
#include "analysis/page.h"

#include "analysis/svg.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT 24 /* a cell of so few bytes is not broken over lines */

static void html(struct page *p, const char *text)
{
    markup_escape(&p->out, text);
}

/* Markdown of a text: what would be markup gets a backslash. */
static void md(struct page *p, const char *text, int cell)
{
    for (; *text; text++) {
        if (strchr("\\`*_<>[]|#", *text) && (cell || *text != '#'))
            str_add(&p->out, "\\");
        if (*text == '\n')
            str_add(&p->out, cell ? " " : "\n");
        else
            str_add_n(&p->out, text, 1);
    }
}

/* "Loss curves" -> "loss-curves". */
static void slug(struct page *p, const char *title)
{
    for (; *title; title++)
        str_addf(&p->out, "%c",
                 isalnum((unsigned char)*title) ? tolower((unsigned char)*title)
                                                : '-');
}

void page_begin(struct page *p, enum page_format format, const char *stem,
                const char *title, const char *subtitle)
{
    memset(p, 0, sizeof *p);
    p->format = format;
    p->stem = stem;
    str_init(&p->out);
    if (format == PAGE_MD) {
        str_add(&p->out, "# ");
        md(p, title, 1);
        str_add(&p->out, "\n\n");
        md(p, subtitle, 0);
        str_add(&p->out, "\n\n");
        return;
    }
    str_add(&p->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                     "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                     "content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n"
                     "<title>");
    html(p, title);
    str_addf(&p->out, "</title>\n<style>%s%s</style>\n</head>\n<body>\n",
             page_style, svg_style);
    str_add(&p->out, "<header><h1>");
    html(p, title);
    str_add(&p->out, "</h1><p>");
    html(p, subtitle);
    str_add(&p->out, "</p></header>\n<main>\n");
}

static void close_section(struct page *p)
{
    if (p->in_section && p->format == PAGE_HTML)
        str_add(&p->out, "</section>\n");
    p->in_section = 0;
}

void page_end(struct page *p)
{
    close_section(p);
    if (p->format == PAGE_HTML)
        str_add(&p->out, "</main>\n</body>\n</html>\n");
}

void page_release(struct page *p)
{
    for (size_t i = 0; i < p->n_figure; i++) {
        str_release(&p->figure[i].svg);
        str_release(&p->figure[i].caption);
    }
    free(p->figure);
    str_release(&p->out);
    memset(p, 0, sizeof *p);
}

void page_section(struct page *p, const char *title)
{
    close_section(p);
    p->in_section = 1;
    snprintf(p->section, sizeof p->section, "%s", title);
    if (p->format == PAGE_MD) {
        str_add(&p->out, "## ");
        md(p, title, 1);
        str_add(&p->out, "\n\n");
        return;
    }
    str_add(&p->out, "<section id=\"");
    slug(p, title);
    str_add(&p->out, "\">\n<h2>");
    html(p, title);
    str_add(&p->out, "</h2>\n");
}

void page_heading(struct page *p, const char *title)
{
    str_add(&p->out, p->format == PAGE_MD ? "### " : "<h3>");
    if (p->format == PAGE_MD)
        md(p, title, 1);
    else
        html(p, title);
    str_add(&p->out, p->format == PAGE_MD ? "\n\n" : "</h3>\n");
}

static char *format(const char *fmt, va_list ap)
{
    va_list again;
    char *text;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    BUG_ON(n < 0);
    text = xmalloc((size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    return text;
}

static void block(struct page *p, const char *before, const char *after,
                  const char *md_before, const char *text)
{
    if (p->format == PAGE_MD) {
        str_add(&p->out, md_before);
        md(p, text, 0);
        str_add(&p->out, "\n\n");
        return;
    }
    str_add(&p->out, before);
    html(p, text);
    str_add(&p->out, after);
}

void page_para(struct page *p, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = format(fmt, ap);
    va_end(ap);
    block(p, "<p>", "</p>\n", "", text);
    free(text);
}

void page_note(struct page *p, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = format(fmt, ap);
    va_end(ap);
    block(p, "<p class=\"note\">", "</p>\n", "> ", text);
    free(text);
}

void page_list_begin(struct page *p)
{
    if (p->format == PAGE_HTML)
        str_add(&p->out, "<dl>\n");
}

void page_item(struct page *p, const char *term, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = format(fmt, ap);
    va_end(ap);
    if (p->format == PAGE_MD) {
        str_add(&p->out, "- **");
        md(p, term, 1);
        str_add(&p->out, "**: ");
        md(p, text, 1);
        str_add(&p->out, "\n");
    } else {
        str_add(&p->out, "<dt>");
        html(p, term);
        str_add(&p->out, "</dt><dd>");
        html(p, text);
        str_add(&p->out, "</dd>\n");
    }
    free(text);
}

void page_list_end(struct page *p)
{
    str_add(&p->out, p->format == PAGE_HTML ? "</dl>\n" : "\n");
}

/* --- tables --- */

void page_table_begin(struct page *p, const char *caption,
                      const char *const *head)
{
    for (p->cols = 0; head[p->cols]; p->cols++)
        BUG_ON(p->cols >= PAGE_COLS);
    if (p->format == PAGE_MD) {
        if (caption) {
            md(p, caption, 0);
            str_add(&p->out, "\n\n");
        }
        page_row(p, head);
        for (int i = 0; i < p->cols; i++)
            str_add(&p->out, "| --- ");
        str_add(&p->out, "|\n");
        return;
    }
    str_add(&p->out, "<div class=\"wide\"><table>");
    if (caption) {
        str_add(&p->out, "<caption>");
        html(p, caption);
        str_add(&p->out, "</caption>");
    }
    str_add(&p->out, "\n");
    p->head = head;
}

/* "-1.2e3", "12 %", "+0.4 %": a number with or without a unit. */
static int is_number(const char *text)
{
    size_t n = strspn(text, "+-0123456789.eE");

    return n > 0 && strpbrk(text, "0123456789") &&
           (text[n] == 0 || !strcmp(text + n, " %"));
}

/* The head takes the side that its column's first number takes. */
static void html_head(struct page *p, const char *const *cell)
{
    str_add(&p->out, "<thead><tr>");
    for (int i = 0; i < p->cols; i++) {
        str_addf(&p->out, "<th scope=\"col\"%s>",
                 cell[i] && is_number(cell[i]) ? " class=\"n\"" : "");
        html(p, p->head[i]);
        str_add(&p->out, "</th>");
    }
    str_add(&p->out, "</tr></thead>\n<tbody>\n");
    p->head = NULL;
}

void page_row(struct page *p, const char *const *cell)
{
    if (p->format == PAGE_MD) {
        for (int i = 0; i < p->cols; i++) {
            str_add(&p->out, "| ");
            md(p, cell[i] ? cell[i] : "", 1);
            str_add(&p->out, " ");
        }
        str_add(&p->out, "|\n");
        return;
    }
    if (p->head)
        html_head(p, cell);
    str_add(&p->out, "<tr>");
    for (int i = 0; i < p->cols; i++) {
        const char *text = cell[i] ? cell[i] : "";
        str_add(&p->out, is_number(text)         ? "<td class=\"n\">"
                         : strlen(text) <= SHORT ? "<td class=\"s\">"
                                                 : "<td>");
        html(p, text);
        str_add(&p->out, "</td>");
    }
    str_add(&p->out, "</tr>\n");
}

void page_table_end(struct page *p)
{
    static const char *const none[PAGE_COLS];

    if (p->format == PAGE_HTML && p->head)
        html_head(p, none);
    str_add(&p->out, p->format == PAGE_MD ? "\n" : "</tbody></table></div>\n");
}

/* --- figures --- */

void page_figures_begin(struct page *p)
{
    if (p->format == PAGE_HTML)
        str_add(&p->out, "<div class=\"figures\">\n");
}

void page_figure_id(char id[16], const struct page *p)
{
    snprintf(id, 16, "f%zu", p->n_figure + 1);
}

void page_figure(struct page *p, const char *name, const char *svg,
                 const char *caption)
{
    struct page_figure *f;

    p->figure =
        mem_grow(p->figure, &p->cap, p->n_figure + 1, sizeof *p->figure);
    f = &p->figure[p->n_figure++];
    snprintf(f->name, sizeof f->name, "%s", name);
    snprintf(f->section, sizeof f->section, "%s", p->section);
    str_init(&f->svg);
    str_add(&f->svg, svg);
    str_init(&f->caption);
    str_add(&f->caption, caption);
    if (p->format == PAGE_HTML) {
        str_add(&p->out, "<figure>");
        str_add(&p->out, svg);
        str_addf(&p->out, "<figcaption>Figure %zu. ", p->n_figure);
        html(p, caption);
        str_add(&p->out, "</figcaption></figure>\n");
        return;
    }
    str_addf(&p->out, "![Figure %zu](%s-%s.svg)\n\n", p->n_figure, p->stem,
             name);
    str_addf(&p->out, "Figure %zu. ", p->n_figure);
    md(p, caption, 0);
    str_add(&p->out, "\n\n");
}

void page_figures_end(struct page *p)
{
    if (p->format == PAGE_HTML)
        str_add(&p->out, "</div>\n");
}

/* --- details --- */

void page_fold_begin(struct page *p, const char *summary)
{
    if (p->format == PAGE_MD) {
        page_heading(p, summary);
        return;
    }
    str_add(&p->out, "<details><summary>");
    html(p, summary);
    str_add(&p->out, "</summary>\n");
}

void page_fold_end(struct page *p)
{
    if (p->format == PAGE_HTML)
        str_add(&p->out, "</details>\n");
}

void page_code(struct page *p, const char *text)
{
    if (p->format == PAGE_MD) {
        /* indented: a fence could be closed by the text */
        str_add(&p->out, "    ");
        for (; *text; text++) {
            str_add_n(&p->out, text, 1);
            if (*text == '\n' && text[1])
                str_add(&p->out, "    ");
        }
        str_add(&p->out, "\n\n");
        return;
    }
    str_add(&p->out, "<pre>");
    html(p, text);
    str_add(&p->out, "</pre>\n");
}
