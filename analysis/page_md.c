/* page_md: a page as Markdown, its figures in files beside it; see
 * page_impl.h. */
#include "analysis/page_impl.h"

#include <string.h>

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

static void around(struct page *p, const char *before, const char *text,
                   int cell, const char *after)
{
    str_add(&p->out, before);
    md(p, text, cell);
    str_add(&p->out, after);
}

static void begin(struct page *p, const char *title, const char *subtitle)
{
    around(p, "# ", title, 1, "\n\n");
    around(p, "", subtitle, 0, "\n\n");
}

static void end(struct page *p)
{
    (void)p;
}

static void section(struct page *p, const char *title)
{
    around(p, "## ", title, 1, "\n\n");
}

static void heading(struct page *p, const char *title)
{
    around(p, "### ", title, 1, "\n\n");
}

static void para(struct page *p, const char *text)
{
    around(p, "", text, 0, "\n\n");
}

static void note(struct page *p, const char *text)
{
    around(p, "> ", text, 0, "\n\n");
}

static void item(struct page *p, const char *term, const char *text)
{
    around(p, "- **", term, 1, "**: ");
    around(p, "", text, 1, "\n");
}

static void list_end(struct page *p)
{
    str_add(&p->out, "\n");
}

static void row(struct page *p, const char *const *cell)
{
    for (int i = 0; i < p->cols; i++)
        around(p, "| ", cell[i] ? cell[i] : "", 1, " ");
    str_add(&p->out, "|\n");
}

static void table_begin(struct page *p, const char *caption,
                        const char *const *head)
{
    if (caption)
        para(p, caption);
    row(p, head);
    for (int i = 0; i < p->cols; i++)
        str_add(&p->out, "| --- ");
    str_add(&p->out, "|\n");
}

static void figure(struct page *p, const struct page_figure *f)
{
    str_addf(&p->out, "![Figure %zu](%s-%s.svg)\n\nFigure %zu. ", p->n_figure,
             p->stem, f->name, p->n_figure);
    para(p, f->caption.text);
}

/* Indented: a fence could be closed by the text. */
static void code(struct page *p, const char *text)
{
    str_add(&p->out, "    ");
    for (; *text; text++) {
        str_add_n(&p->out, text, 1);
        if (*text == '\n' && text[1])
            str_add(&p->out, "    ");
    }
    str_add(&p->out, "\n\n");
}

const struct page_writer page_md = {
    .name = "md",
    .begin = begin,
    .end = end,
    .section = section,
    .heading = heading,
    .para = para,
    .note = note,
    .list_begin = end,
    .item = item,
    .list_end = list_end,
    .table_begin = table_begin,
    .row = row,
    .table_end = list_end,
    .figure = figure,
    .fold_begin = heading,
    .code = code,
};
