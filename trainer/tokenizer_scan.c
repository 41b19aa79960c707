/* tokenizer_scan: see tokenizer_scan.h. */
#include "trainer/tokenizer_scan.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define BIT(class) (1u << (class))

struct scan scan_known(const char *pattern, enum split_flavour flavour)
{
#define LLAMA3(digits)                                                         \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits       \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define DEEPSEEK(cr, lf, quote)                                                \
    "[!" quote "#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"             \
    "|[^" cr lf "\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"                          \
    "| ?[\\p{P}\\p{S}]+[" cr lf "]*|\\s*[" cr lf "]+|\\s+(?!\\S)|\\s+"
    static const struct {
        const char *pattern;
        struct scan scan;
    } known[] = {
        {LLAMA3("\\p{N}{1,3}"), {.kind = SCAN_CL100K, .most = 3}},
        {LLAMA3("\\p{N}"), {.kind = SCAN_CL100K, .most = 1}},
        {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+"
         "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)"
         "|\\s",
         {.kind = SCAN_CL100K, .most = 3, .whole_end = 1}},
        {DEEPSEEK("\\r", "\\n", "\""), {.kind = SCAN_DEEPSEEK}},
        {DEEPSEEK("\r", "\n", "\""), {.kind = SCAN_DEEPSEEK}},
        {DEEPSEEK("\\r", "\\n", "\\\""), {.kind = SCAN_DEEPSEEK}},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!strcmp(known[i].pattern, pattern) &&
            !(known[i].scan.whole_end && flavour == SPLIT_ONIG))
            return known[i].scan;
    return (struct scan){0};
}

int scan_may_follow(const struct scan *first, const char *pattern)
{
    static const char *const no_digits[] = {
        "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f"
        "\xe3\x82\xa0-\xe3\x83\xbf]+",
        "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"};

    for (size_t i = 0; i < ARRAY_LEN(no_digits); i++)
        if (first->kind == SCAN_CLASS && first->bit == SCAN_N && !first->then &&
            !strcmp(no_digits[i], pattern))
            return 1;
    return 0;
}

/* --- characters */

void scan_pages_release(struct scan_pages *p)
{
    for (size_t i = 0; i < ARRAY_LEN(p->page); i++)
        free(p->page[i]);
}

static uint8_t *new_page(struct scan_pages *p, uint32_t number)
{
    p->page[number] = xcalloc(256, 1);
    p->ask(p->ctx, p->page[number], number * 256);
    return p->page[number];
}

/* The text from `at` on. */
struct reader {
    struct scan_pages *p;
    const uint8_t *text, *ascii; /* ascii: its page */
    size_t n;
};

/* The classes of the character at `at` < n; *next: behind it. */
static inline unsigned classes(const struct reader *r, size_t at, size_t *next)
{
    const uint8_t *t = r->text + at;
    const uint8_t *page;
    uint32_t c;

    if (t[0] < 0x80) {
        *next = at + 1;
        return r->ascii[t[0]];
    }
    if (t[0] < 0xe0) {
        c = (t[0] & 0x1fu) << 6 | (t[1] & 0x3fu);
        *next = at + 2;
    } else if (t[0] < 0xf0) {
        c = (t[0] & 0xfu) << 12 | (t[1] & 0x3fu) << 6 | (t[2] & 0x3fu);
        *next = at + 3;
    } else {
        c = (t[0] & 0x7u) << 18 | (t[1] & 0x3fu) << 12 | (t[2] & 0x3fu) << 6 |
            (t[3] & 0x3fu);
        *next = at + 4;
    }
    page = r->p->page[c >> 8];
    return (page ? page : new_page(r->p, c >> 8))[c & 255];
}

/* The end of the run of characters of one of these classes that begins at
 * `at`. */
static size_t run(const struct reader *r, size_t at, unsigned of)
{
    size_t next;

    while (at < r->n && classes(r, at, &next) & of)
        at = next;
    return at;
}

static int is_newline(uint8_t c)
{
    return c == '\r' || c == '\n';
}

static int is_letter(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

/* --- parts of the patterns; each returns the end, or `at` for no match */

/* '(?i:[sdmt]|ll|ve|re): a long s is one in lower case. */
static size_t contraction(const struct reader *r, size_t at)
{
    const uint8_t *t = r->text + at;
    size_t left = r->n - at;
    int a = left > 1 ? t[1] | 0x20 : 0, b = left > 2 ? t[2] | 0x20 : 0;

    if (left < 2 || t[0] != '\'')
        return at;
    if (t[1] < 0x80 && (a == 's' || a == 'd' || a == 'm' || a == 't'))
        return at + 2;
    if (left > 2 && t[1] == 0xc5 && t[2] == 0xbf)
        return at + 3;
    if (left > 2 && ((a == 'l' && b == 'l') || (a == 'v' && b == 'e') ||
                     (a == 'r' && b == 'e')))
        return at + 3;
    return at;
}

/* [^\r\n NOT]? RUN+ */
static size_t letters(const struct reader *r, size_t at, unsigned not,
                      unsigned of)
{
    size_t next, end;
    unsigned c = classes(r, at, &next);

    if (!(c & not ) && !is_newline(r->text[at])) {
        end = run(r, next, of);
        if (end > next)
            return end;
    }
    return c & of ? run(r, next, of) : at;
}

/* White space in any number: \s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t white(const struct reader *r, size_t at, int whole_end)
{
    size_t end = at, last = at, newline = at, next;

    for (; end < r->n && classes(r, end, &next) & BIT(SCAN_WHITE); end = next) {
        last = end;
        if (is_newline(r->text[end]))
            newline = next;
    }
    if (newline > at && !(whole_end && end == r->n))
        return newline;
    return end == r->n || last == at ? end : last;
}

/* --- the patterns, at one place */

static size_t match_cl100k(const struct scan *s, const struct reader *r,
                           size_t at)
{
    const unsigned l = BIT(SCAN_L), n = BIT(SCAN_N), w = BIT(SCAN_WHITE);
    size_t end = contraction(r, at), next, k = 0;
    unsigned c;

    if (end == at)
        end = letters(r, at, l | n, l);
    if (end > at)
        return end;
    c = classes(r, at, &next);
    if (c & n) {
        for (end = next; ++k < s->most && end < r->n; end = next)
            if (!(classes(r, end, &next) & n))
                break;
        return end;
    }
    end = r->text[at] == ' ' ? next : at;
    while (end < r->n && !(classes(r, end, &next) & (l | n | w)))
        end = next;
    if (end == at || r->text[end - 1] == ' ')
        return white(r, at, s->whole_end);
    while (end < r->n && is_newline(r->text[end]))
        end++;
    return end;
}

static size_t match_deepseek(const struct reader *r, size_t at)
{
    const unsigned l = BIT(SCAN_L), m = BIT(SCAN_M),
                   ps = BIT(SCAN_P) | BIT(SCAN_S);
    const uint8_t *t = r->text;
    size_t end, next;

    if (t[at] < 0x80 && r->ascii[t[at]] & ps && at + 1 < r->n &&
        is_letter(t[at + 1])) {
        for (end = at + 1; end < r->n && is_letter(t[end]);)
            end++;
        return end;
    }
    end = letters(r, at, l | ps, l | m);
    if (end > at)
        return end;
    next = at + (t[at] == ' ');
    end = run(r, next, ps);
    if (end == next)
        return white(r, at, 0);
    while (end < r->n && is_newline(t[end]))
        end++;
    return end;
}

/* --- the first match */

static int next_class(struct scan_match *m, const struct scan *s,
                      const struct reader *r, size_t from)
{
    const unsigned any = BIT(s->bit) | (s->then ? BIT(s->then) : 0);
    size_t next = from, most;
    unsigned c = 0, of;

    for (; from < r->n && !((c = classes(r, from, &next)) & any); from = next)
        ;
    if (from == r->n)
        return 0;
    of = c & any;
    most = of & BIT(s->bit) ? s->most : SIZE_MAX;
    m->at = from;
    m->all = c;
    for (from = next; --most && from < r->n; from = next) {
        c = classes(r, from, &next);
        if (!(c & of))
            break;
        m->all &= c;
    }
    m->end = from;
    return 1;
}

int scan_next(struct scan_match *m, const struct scan *s, struct scan_pages *p,
              const uint8_t *text, size_t n, size_t from)
{
    const struct reader r = {p, text, p->page[0] ? p->page[0] : new_page(p, 0),
                             n};
    size_t next;

    if (s->kind == SCAN_CLASS)
        return next_class(m, s, &r, from);
    for (m->all = 0; from < n; from = next) {
        m->at = from;
        m->end = s->kind == SCAN_CL100K ? match_cl100k(s, &r, from)
                                        : match_deepseek(&r, from);
        if (m->end > from)
            return 1;
        classes(&r, from, &next);
    }
    return 0;
}

int scan_is_word(const struct scan *s, unsigned all)
{
    return (s->kind == SCAN_CL100K || s->kind == SCAN_DEEPSEEK) &&
           all & BIT(SCAN_L);
}
