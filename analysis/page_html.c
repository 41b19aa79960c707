/* page_html: a page as one HTML file; see page_impl.h. */
#include "analysis/page_impl.h"

#include "analysis/svg.h"

#include <ctype.h>
#include <string.h>

static void html(struct page *p, const char *text)
{
    markup_escape(&p->out, text);
}

static void around(struct page *p, const char *before, const char *text,
                   const char *after)
{
    str_add(&p->out, before);
    html(p, text);
    str_add(&p->out, after);
}

/* "Loss curves" -> "loss-curves". */
static void slug(struct page *p, const char *title)
{
    for (; *title; title++)
        str_addf(&p->out, "%c",
                 isalnum((unsigned char)*title) ? tolower((unsigned char)*title)
                                                : '-');
}

static void begin(struct page *p, const char *title, const char *subtitle)
{
    str_add(&p->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                     "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                     "content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n"
                     "<title>");
    html(p, title);
    str_addf(&p->out, "</title>\n<style>%s%s</style>\n</head>\n<body>\n",
             page_style, svg_style);
    around(p, "<header><h1>", title, "</h1>");
    around(p, "<p>", subtitle, "</p></header>\n<main>\n");
}

static void end(struct page *p)
{
    str_add(&p->out, "</main>\n</body>\n</html>\n");
}

static void section(struct page *p, const char *title)
{
    str_add(&p->out, "<section id=\"");
    slug(p, title);
    around(p, "\">\n<h2>", title, "</h2>\n");
}

static void section_end(struct page *p)
{
    str_add(&p->out, "</section>\n");
}

static void heading(struct page *p, const char *title)
{
    around(p, "<h3>", title, "</h3>\n");
}

static void para(struct page *p, const char *text)
{
    around(p, "<p>", text, "</p>\n");
}

static void note(struct page *p, const char *text)
{
    around(p, "<p class=\"note\">", text, "</p>\n");
}

static void list_begin(struct page *p)
{
    str_add(&p->out, "<dl>\n");
}

static void item(struct page *p, const char *term, const char *text)
{
    around(p, "<dt>", term, "</dt>");
    around(p, "<dd>", text, "</dd>\n");
}

static void list_end(struct page *p)
{
    str_add(&p->out, "</dl>\n");
}

static void table_begin(struct page *p, const char *caption,
                        const char *const *head)
{
    str_add(&p->out, "<div class=\"wide\"><table>");
    if (caption)
        around(p, "<caption>", caption, "</caption>");
    str_add(&p->out, "\n");
    p->head = head;
}

/* The head takes the side that its column's first number takes. */
static void put_head(struct page *p, const char *const *cell)
{
    str_add(&p->out, "<thead><tr>");
    for (int i = 0; i < p->cols; i++) {
        str_addf(&p->out, "<th scope=\"col\"%s>",
                 cell[i] && page_is_number(cell[i]) ? " class=\"n\"" : "");
        around(p, "", p->head[i], "</th>");
    }
    str_add(&p->out, "</tr></thead>\n<tbody>\n");
    p->head = NULL;
}

static void row(struct page *p, const char *const *cell)
{
    if (p->head)
        put_head(p, cell);
    str_add(&p->out, "<tr>");
    for (int i = 0; i < p->cols; i++) {
        const char *text = cell[i] ? cell[i] : "";
        around(p,
               page_is_number(text)         ? "<td class=\"n\">"
               : strlen(text) <= PAGE_SHORT ? "<td class=\"s\">"
                                            : "<td>",
               text, "</td>");
    }
    str_add(&p->out, "</tr>\n");
}

static void table_end(struct page *p)
{
    static const char *const none[PAGE_COLS];

    if (p->head)
        put_head(p, none);
    str_add(&p->out, "</tbody></table></div>\n");
}

static void figures_begin(struct page *p)
{
    str_add(&p->out, "<div class=\"figures\">\n");
}

static void figure(struct page *p, const struct page_figure *f)
{
    str_add(&p->out, "<figure>");
    str_add(&p->out, f->svg.text);
    str_addf(&p->out, "<figcaption>Figure %zu. ", p->n_figure);
    around(p, "", f->caption.text, "</figcaption></figure>\n");
}

static void figures_end(struct page *p)
{
    str_add(&p->out, "</div>\n");
}

static void fold_begin(struct page *p, const char *summary)
{
    around(p, "<details><summary>", summary, "</summary>\n");
}

static void fold_end(struct page *p)
{
    str_add(&p->out, "</details>\n");
}

static void code(struct page *p, const char *text)
{
    around(p, "<pre>", text, "</pre>\n");
}

const struct page_writer page_html = {
    .name = "html",
    .begin = begin,
    .end = end,
    .section = section,
    .section_end = section_end,
    .heading = heading,
    .para = para,
    .note = note,
    .list_begin = list_begin,
    .item = item,
    .list_end = list_end,
    .table_begin = table_begin,
    .row = row,
    .table_end = table_end,
    .figures_begin = figures_begin,
    .figure = figure,
    .figures_end = figures_end,
    .fold_begin = fold_begin,
    .fold_end = fold_end,
    .code = code,
};
