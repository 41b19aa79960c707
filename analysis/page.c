/* page: what all formats share; see page.h. */
#include "analysis/page_impl.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct page_writer *const writers[PAGE_FORMATS] = {
    [PAGE_HTML] = &page_html, [PAGE_MD] = &page_md, [PAGE_TEX] = &page_tex};

int page_format_parse(const char *name)
{
    for (int i = 0; i < PAGE_FORMATS; i++)
        if (!strcmp(writers[i]->name, name))
            return i;
    return -1;
}

int page_is_number(const char *text)
{
    size_t n = strspn(text, "+-0123456789.eE");

    return n > 0 && strpbrk(text, "0123456789") &&
           (text[n] == 0 || !strcmp(text + n, " %"));
}

void page_begin(struct page *p, enum page_format f, const char *stem,
                const char *title, const char *subtitle)
{
    memset(p, 0, sizeof *p);
    p->format = f;
    p->write = writers[f];
    p->stem = stem;
    str_init(&p->out);
    p->write->begin(p, title, subtitle);
}

static void close_section(struct page *p)
{
    if (p->in_section && p->write->section_end)
        p->write->section_end(p);
    p->in_section = 0;
}

void page_end(struct page *p)
{
    close_section(p);
    p->write->end(p);
}

void page_release(struct page *p)
{
    for (size_t i = 0; i < p->n_figure; i++) {
        str_release(&p->figure[i].svg);
        str_release(&p->figure[i].caption);
        str_release(&p->figure[i].script);
        str_release(&p->figure[i].data);
    }
    free(p->figure);
    for (size_t i = 0; i < p->n_cell; i++)
        free(p->cell[i]);
    free(p->cell);
    str_release(&p->out);
    memset(p, 0, sizeof *p);
}

void page_section(struct page *p, const char *title)
{
    close_section(p);
    p->in_section = 1;
    snprintf(p->section, sizeof p->section, "%s", title);
    p->write->section(p, title);
}

void page_heading(struct page *p, const char *title)
{
    p->write->heading(p, title);
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

void page_para(struct page *p, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = format(fmt, ap);
    va_end(ap);
    p->write->para(p, text);
    free(text);
}

void page_note(struct page *p, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = format(fmt, ap);
    va_end(ap);
    p->write->note(p, text);
    free(text);
}

void page_list_begin(struct page *p)
{
    p->write->list_begin(p);
}

void page_item(struct page *p, const char *term, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = format(fmt, ap);
    va_end(ap);
    p->write->item(p, term, text);
    free(text);
}

void page_list_end(struct page *p)
{
    p->write->list_end(p);
}

void page_table_begin(struct page *p, const char *caption,
                      const char *const *head)
{
    for (p->cols = 0; head[p->cols]; p->cols++)
        BUG_ON(p->cols >= PAGE_COLS);
    p->write->table_begin(p, caption, head);
}

void page_row(struct page *p, const char *const *cell)
{
    p->write->row(p, cell);
}

void page_table_end(struct page *p)
{
    p->write->table_end(p);
}

void page_figures_begin(struct page *p)
{
    if (p->write->figures_begin)
        p->write->figures_begin(p);
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
    str_init(&f->script);
    str_init(&f->data);
    p->write->figure(p, f);
}

void page_figure_gnuplot(struct page *p, struct str *script, struct str *data)
{
    struct page_figure *f = &p->figure[p->n_figure - 1];

    BUG_ON(!p->n_figure);
    str_add_n(&f->script, script->text, script->len);
    str_add_n(&f->data, data->text, data->len);
    str_clear(script);
    str_clear(data);
}

void page_figures_end(struct page *p)
{
    if (p->write->figures_end)
        p->write->figures_end(p);
}

void page_fold_begin(struct page *p, const char *summary)
{
    p->write->fold_begin(p, summary);
}

void page_fold_end(struct page *p)
{
    if (p->write->fold_end)
        p->write->fold_end(p);
}

void page_code(struct page *p, const char *text)
{
    p->write->code(p, text);
}
