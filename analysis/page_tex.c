/* page_tex: a page as LaTeX for pdflatex; see page_impl.h.
 *
 * Only packages of the base installation are asked for.  A table is written
 * when it is whole: the largest size of type in which it fits is chosen, and
 * its long texts share the width that is left. */
#include "analysis/page_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_WIDTH 482.0 /* points: A4 with margins of 2 cm */
#define SEPARATION 6.0   /* between two columns */

/* --- text --- */

static const struct {
    char c;
    const char *tex;
} special[] = {
    {'\\', "\\textbackslash{}"},
    {'{', "\\{"},
    {'}', "\\}"},
    {'$', "\\$"},
    {'&', "\\&"},
    {'#', "\\#"},
    {'%', "\\%"},
    {'_', "\\_\\allowbreak{}"},
    {'^', "\\textasciicircum{}"},
    {'~', "\\textasciitilde{}"},
    {'<', "\\textless{}"},
    {'>', "\\textgreater{}"},
    {'|', "\\textbar{}"},
    {'"', "\\textquotedbl{}"},
    {'\'', "\\textquotesingle{}"},
    {'`', "\\textasciigrave{}"},
    {'-', "{-}"}, /* no ligatures, and a minus is no dash */
    {'/', "/\\allowbreak{}"},
};

/* Bytes of a UTF-8 character that pdflatex knows without further packages:
 * U+00A0 to U+00FF; 0 when it is none. */
static int latin(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;

    return (u[0] == 0xc2 && u[1] >= 0xa0 && u[1] <= 0xbf) ||
           (u[0] == 0xc3 && u[1] >= 0x80 && u[1] <= 0xbf);
}

/* Copy a character that is not ASCII, or say that one was there; returns the
 * bytes it took. */
static size_t foreign(struct str *out, const char *s)
{
    size_t n = 1;

    if (latin(s)) {
        str_add_n(out, s, 2);
        return 2;
    }
    while (((unsigned char)s[n] & 0xc0) == 0x80)
        n++;
    str_add(out, "?");
    return n;
}

static void tex(struct str *out, const char *text)
{
    while (*text) {
        size_t i = 0;
        if ((unsigned char)*text >= 0x80) {
            text += foreign(out, text);
            continue;
        }
        while (i < ARRAY_LEN(special) && special[i].c != *text)
            i++;
        if (i < ARRAY_LEN(special))
            str_add(out, special[i].tex);
        else if (*text == '\n' || *text == '\t')
            str_add(out, " ");
        else
            str_add(out, (unsigned char)*text < 0x20 || *text == 0x7f
                             ? "?"
                             : (char[]){*text, 0});
        text++;
    }
}

static void around(struct page *p, const char *before, const char *text,
                   const char *after)
{
    str_add(&p->out, before);
    tex(&p->out, text);
    str_add(&p->out, after);
}

/* --- the document --- */

static void begin(struct page *p, const char *title, const char *subtitle)
{
    str_add(&p->out,
            "\\documentclass[a4paper,10pt]{article}\n"
            "\\usepackage[T1]{fontenc}\n"
            "\\usepackage[utf8]{inputenc}\n"
            "\\usepackage{textcomp}\n"
            "\\usepackage{graphicx}\n"
            "\\usepackage{longtable}\n"
            "\\usepackage{array}\n"
            "\\usepackage[margin=2cm]{geometry}\n"
            "\\setlength{\\parindent}{0pt}\n"
            "\\setlength{\\parskip}{0.5em}\n"
            "\\setlength{\\LTleft}{0pt}\n"
            "\\sloppy\n"
            "% one figure: file without its ending, number, caption\n"
            "\\newcommand{\\onefigure}[3]{\\begin{minipage}[t]{0.48\\linewidth}"
            "\\vspace{0pt}%\n"
            "  \\IfFileExists{#1.pdf}{\\includegraphics[width=\\linewidth]"
            "{#1.pdf}}%\n"
            "    {\\fbox{#1.pdf is missing: make it from #1.svg}}\\par\n"
            "  {\\small Figure #2. #3\\par}\\end{minipage}}\n"
            "\\begin{document}\n");
    around(p, "{\\LARGE\\bfseries ", title, "\\par}\n");
    around(p, "{\\small ", subtitle, "\\par}\n\n");
}

static void end(struct page *p)
{
    str_add(&p->out, "\\end{document}\n");
}

static void section(struct page *p, const char *title)
{
    around(p, "\\section{", title, "}\n\n");
}

static void heading(struct page *p, const char *title)
{
    around(p, "\\subsection*{", title, "}\n\n");
}

static void para(struct page *p, const char *text)
{
    around(p, "", text, "\n\n");
}

static void note(struct page *p, const char *text)
{
    around(p, "\\begin{quote}\\textbf{Note.} ", text, "\\end{quote}\n\n");
}

static void list_begin(struct page *p)
{
    str_add(&p->out, "\\begin{description}\n");
}

static void item(struct page *p, const char *term, const char *text)
{
    around(p, "\\item[{", term, "}] ");
    around(p, "", text, "\n");
}

static void list_end(struct page *p)
{
    str_add(&p->out, "\\end{description}\n\n");
}

/* --- tables --- */

static void keep_row(struct page *p, const char *const *cell)
{
    p->cell = mem_grow(p->cell, &p->cap_cell, p->n_cell + (size_t)p->cols,
                       sizeof *p->cell);
    for (int i = 0; i < p->cols; i++)
        p->cell[p->n_cell++] = xstrdup(cell[i] ? cell[i] : "");
}

static void table_begin(struct page *p, const char *caption,
                        const char *const *head)
{
    if (caption)
        around(p, "\\textit{", caption, "}\n\n");
    keep_row(p, head);
}

struct column {
    size_t most;       /* bytes of its longest cell */
    size_t data, word; /* of its longest one below the head; of the head's
                          longest word */
    int number;
    int wide;      /* broken over lines, its width a share of what is left */
    int tall_head; /* the head is broken, to fit */
    double points; /* of a column that is broken */
};

static size_t longest_word(const char *text)
{
    size_t most = 0;

    while (*text) {
        size_t n = strcspn(text, " ");
        most = n > most ? n : most;
        text += n + (text[n] == ' ');
    }
    return most;
}

static void measure(struct column *c, const struct page *p)
{
    for (size_t i = 0; i < p->n_cell; i++) {
        struct column *k = &c[i % (size_t)p->cols];
        size_t n = strlen(p->cell[i]);
        if (i < (size_t)p->cols) {
            n += n / 5; /* bold */
            k->word = longest_word(p->cell[i]) * 6 / 5;
        } else {
            k->data = n > k->data ? n : k->data;
            if (n)
                k->number =
                    k->number < 0 || !page_is_number(p->cell[i]) ? -1 : 1;
        }
        k->most = n > k->most ? n : k->most;
    }
    for (int i = 0; i < p->cols; i++)
        c[i].wide = c[i].most > PAGE_SHORT;
}

/* The width of what is not broken, and of `least` bytes of what is. */
static double natural(const struct column *c, int n, double em, double least)
{
    double width = 0;

    for (int i = 0; i < n; i++)
        width += SEPARATION + em * (c[i].wide ? least : (double)c[i].most);
    return width;
}

/* Heads that are longer than what stands below them go over several lines. */
static void break_heads(struct column *c, int n, double em)
{
    for (int i = 0; i < n; i++) {
        size_t least = c[i].data > c[i].word ? c[i].data : c[i].word;
        if (c[i].wide || least >= c[i].most)
            continue;
        c[i].most = least;
        c[i].tall_head = 1;
        c[i].points = em * (double)least;
    }
}

/* The type, and the widths of broken columns. */
static const char *choose_size(struct column *c, int n)
{
    static const struct {
        const char *name;
        double em; /* points of an average character */
    } size[] = {{"\\small", 4.8},
                {"\\footnotesize", 4.4},
                {"\\scriptsize", 4.1},
                {"\\tiny", 3.5}};
    size_t k = 0;
    double left, bytes = 0;

    while (k + 1 < ARRAY_LEN(size) &&
           natural(c, n, size[k].em, PAGE_SHORT) > TEXT_WIDTH)
        k++;
    if (natural(c, n, size[k].em, PAGE_SHORT) > TEXT_WIDTH)
        break_heads(c, n, size[k].em);
    left = TEXT_WIDTH - natural(c, n, size[k].em, 0);
    for (int i = 0; i < n; i++)
        if (c[i].wide)
            bytes += (double)c[i].most;
    for (int i = 0; i < n; i++)
        if (c[i].wide)
            c[i].points = fmax(30, left * (double)c[i].most / bytes);
    return size[k].name;
}

static void put_columns(struct page *p, const struct column *c)
{
    str_add(&p->out, "{");
    for (int i = 0; i < p->cols; i++)
        if (c[i].wide || c[i].tall_head)
            str_addf(&p->out, ">{\\ragged%s\\arraybackslash}p{%.0fpt}",
                     c[i].number > 0 ? "left" : "right", c[i].points);
        else
            str_add(&p->out, c[i].number > 0 ? "r" : "l");
    str_add(&p->out, "}\n");
}

static void put_row(struct page *p, size_t at, const char *before,
                    const char *after)
{
    for (int i = 0; i < p->cols; i++) {
        str_add(&p->out, i ? " & " : "");
        around(p, before, p->cell[at + (size_t)i], after);
    }
    str_add(&p->out, " \\\\\n");
}

static void table_end(struct page *p)
{
    struct column c[PAGE_COLS] = {{0}};

    measure(c, p);
    str_addf(&p->out, "{%s\n\\setlength{\\tabcolsep}{%gpt}\n\\begin{longtable}",
             choose_size(c, p->cols), p->cols > 12 ? 1.5 : SEPARATION / 2);
    put_columns(p, c);
    put_row(p, 0, "\\textbf{", "}");
    str_add(&p->out, "\\hline\\endhead\n");
    for (size_t i = (size_t)p->cols; i < p->n_cell; i += (size_t)p->cols)
        put_row(p, i, "", "");
    str_add(&p->out, "\\end{longtable}}\n\n");
    for (size_t i = 0; i < p->n_cell; i++)
        free(p->cell[i]);
    p->n_cell = 0;
}

/* --- figures and code --- */

static void figure(struct page *p, const struct page_figure *f)
{
    str_addf(&p->out, "\\onefigure{%s-%s}{%zu}{", p->stem, f->name,
             p->n_figure);
    around(p, "", f->caption.text, "}\\hfill\n");
}

static void figures_end(struct page *p)
{
    str_add(&p->out, "\\par\n\n");
}

/* As it is, but for what pdflatex cannot set and what would end it. */
static void code(struct page *p, const char *text)
{
    static const char closing[] = "\\end{verbatim}";

    str_add(&p->out, "{\\scriptsize\n\\begin{verbatim}\n");
    while (*text) {
        if (!strncmp(text, closing, strlen(closing))) {
            str_add(&p->out, "\\end {verbatim}");
            text += strlen(closing);
        } else if ((unsigned char)*text >= 0x80) {
            text += foreign(&p->out, text);
        } else {
            char c = *text++;
            str_add(&p->out, c != '\n' && ((unsigned char)c < 0x20 || c == 0x7f)
                                 ? " "
                                 : (char[]){c, 0});
        }
    }
    str_add(&p->out, "\n\\end{verbatim}}\n\n");
}

const struct page_writer page_tex = {
    .name = "tex",
    .begin = begin,
    .end = end,
    .section = section,
    .heading = heading,
    .para = para,
    .note = note,
    .list_begin = list_begin,
    .item = item,
    .list_end = list_end,
    .table_begin = table_begin,
    .row = keep_row,
    .table_end = table_end,
    .figure = figure,
    .figures_end = figures_end,
    .fold_begin = heading,
    .code = code,
};
