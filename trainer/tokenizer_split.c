/* tokenizer_split: words by patterns; see tokenizer_impl.h.
 *
 * The patterns were written for other engines (Oniguruma, Rust's regex); where
 * PCRE2 would read them differently they are rewritten, and what has no equal
 * is refused:
 *
 *   \s \S       the 25 characters of Unicode's White_Space (PCRE2 adds U+180E)
 *   \p{Han}     the script, as there; PCRE2 would take the extended script
 *   $           SPLIT_RUST: the end of the text; SPLIT_ONIG: of a line
 *   \w \b \h... refused, and classes in classes, and && in them
 *
 * What remains is which characters are letters: PCRE2 of Debian 12 knows
 * Unicode 14.
 *
 * Two things for speed, neither of which changes what matches.  \p{L} and its
 * kind become classes that name their ASCII characters too: those are looked up
 * in a bit map, others in tables.  And a pattern of one class, as \p{N}{1,3},
 * is not tried where an ASCII character stands that it cannot begin with. */
#include "base/mem.h"
#include "trainer/tokenizer_impl.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef LOGLOG_HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define STAGES 16
#define JIT_STACK_MAX ((size_t)16 << 20)

struct added {
    uint8_t *text;
    size_t n;
    int32_t id;
};

struct split {
    pcre2_code *stage[STAGES];
    int jit[STAGES];
    uint8_t passed[STAGES][256]; /* bytes at which no match begins */
    int n_stage;
    struct added *added; /* longest first; cut out before the stages */
    size_t n_added, cap_added;
    uint8_t first[256]; /* bytes that one of them begins with */
};

struct split_state {
    pcre2_match_data *match[STAGES];
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

/* --- patterns */

static const char white_space[] =
    "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}"
    "\\x{202f}\\x{205f}\\x{3000}";

static int no_equal(const char *what, size_t n, const char *pattern,
                    struct err *e)
{
    return err_set(e, ERR_USAGE,
                   "pattern %.200s: '%.*s' is not supported (engines differ)",
                   pattern, (int)n, what);
}

/* The ASCII characters of a property, as a class has them; "" where it has
 * none or they are not listed here. */
static const char *ascii_of(const char *property, size_t n)
{
    static const struct {
        const char *name, *ascii;
    } known[] = {
        {"\\p{L}", "A-Za-z"},      {"\\p{Lu}", "A-Z"},
        {"\\p{Ll}", "a-z"},        {"\\p{N}", "0-9"},
        {"\\p{Nd}", "0-9"},        {"\\p{P}", "!-#%-*,-/:;?@\\[-\\]_{}"},
        {"\\p{S}", "$+<->\\^`|~"},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strlen(known[i].name) == n && !memcmp(known[i].name, property, n))
            return known[i].ascii;
    return "";
}

/* A property: \p{Han} is the script of that name.  Returns its length. */
static size_t add_property(struct str *out, const char *p, int in_class)
{
    const char *end = p[2] == '{' ? strchr(p, '}') : NULL, *ascii;
    size_t n = end           ? (size_t)(end - p) + 1
               : p[2] == '{' ? strlen(p) /* refused when it is compiled */
                             : strnlen(p, 3);

    if (n > 6 && !memchr(p, ':', n) && strncmp(p + 3, "Any", 3)) {
        str_add_n(out, p, 3);
        str_add(out, "sc:");
        str_add_n(out, p + 3, n - 3);
        return n;
    }
    ascii = ascii_of(p, n);
    if (in_class && out->text[out->len - 1] == '-')
        ascii = ""; /* would be the end of a range */
    if (*ascii)
        str_addf(out, in_class ? "%s" : "[%s", ascii);
    str_add_n(out, p, n);
    if (*ascii && !in_class)
        str_add(out, "]");
    return n;
}

/* The escape at p; returns its length, 0 with *e. */
static size_t add_escape(struct str *out, const char *p, int in_class,
                         const char *pattern, struct err *e)
{
    if (p[1] == 's' || (p[1] == 'S' && !in_class)) {
        str_addf(out,
                 in_class      ? "%s"
                 : p[1] == 's' ? "[%s]"
                               : "[^%s]",
                 white_space);
        return 2;
    }
    if (p[1] == 'p' || p[1] == 'P')
        return add_property(out, p, in_class);
    if (!p[1] || (isalnum((unsigned char)p[1]) && !strchr("dDrntfx", p[1]))) {
        no_equal(p, 2, pattern, e);
        return 0;
    }
    str_add_n(out, p, 2);
    return 2;
}

static int rewrite(struct str *out, const char *pattern, struct err *e)
{
    int in_class = 0;

    for (const char *p = pattern; *p;) {
        size_t n = 1;

        if (*p == '\\') {
            n = add_escape(out, p, in_class, pattern, e);
            if (!n)
                return -1;
            p += n;
            continue;
        }
        if (in_class && (*p == '[' || !strncmp(p, "&&", 2)))
            return no_equal(p, 2, pattern, e);
        if (!in_class && *p == '[') {
            in_class = 1;
            n += p[1] == '^';
            n += p[n] == ']'; /* the first one is itself */
        } else if (*p == ']') {
            in_class = 0;
        }
        str_add_n(out, p, n);
        p += n;
    }
    return 0;
}

/* --- making */

int split_create(struct split **s, struct err *e)
{
    (void)e;
    *s = xcalloc(1, sizeof **s);
    return 0;
}

void split_destroy(struct split *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_stage; i++)
        pcre2_code_free(s->stage[i]);
    for (size_t i = 0; i < s->n_added; i++)
        free(s->added[i].text);
    free(s->added);
    free(s);
}

/* Is it one class, once or more? */
static int is_one_class(const char *pattern)
{
    const char *p = pattern;

    if (*p++ != '[')
        return 0;
    p += *p == '^';
    p += *p == ']';
    for (; *p && *p != ']'; p++)
        p += *p == '\\' && p[1];
    if (!*p++)
        return 0;
    if (*p == '{' && isdigit((unsigned char)p[1]) && p[1] != '0')
        return p[strspn(p, "{0123456789,")] == '}' && !strchr(p, '}')[1];
    return !*p || (*p == '+' && !p[1]);
}

/* Which bytes cannot begin a match of a stage that is one class: ASCII that
 * it does not match. */
static void set_passed(struct split *s, int stage)
{
    pcre2_match_data *m = pcre2_match_data_create(1, NULL);

    for (int c = 0; m && c < 128; c++) {
        uint8_t byte = (uint8_t)c;

        s->passed[stage][c] =
            pcre2_match(s->stage[stage], &byte, 1, 0, PCRE2_NOTEMPTY, m,
                        NULL) == PCRE2_ERROR_NOMATCH;
    }
    pcre2_match_data_free(m);
}

int split_add(struct split *s, const char *pattern, enum split_flavour flavour,
              struct err *e)
{
    uint32_t options =
        PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C |
        (flavour == SPLIT_RUST ? PCRE2_DOLLAR_ENDONLY : PCRE2_MULTILINE);
    int one_class, code, stage = s->n_stage;
    char why[128] = "";
    struct str text;
    PCRE2_SIZE at;

    if (stage == STAGES)
        return err_set(e, ERR_USAGE, "more than %d patterns", STAGES);
    str_init(&text);
    if (rewrite(&text, pattern, e)) {
        str_release(&text);
        return -1;
    }
    s->stage[stage] = pcre2_compile((PCRE2_SPTR)text.text, text.len, options,
                                    &code, &at, NULL);
    one_class = is_one_class(text.text);
    str_release(&text);
    if (!s->stage[stage]) {
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        return err_set(e, ERR_USAGE, "pattern %.200s: %s", pattern, why);
    }
    s->jit[stage] = !pcre2_jit_compile(s->stage[stage], PCRE2_JIT_COMPLETE);
    if (one_class)
        set_passed(s, stage);
    s->n_stage++;
    return 0;
}

int split_add_text(struct split *s, const uint8_t *text, size_t n, int32_t id)
{
    size_t i;

    s->added =
        mem_grow(s->added, &s->cap_added, s->n_added + 1, sizeof *s->added);
    for (i = s->n_added++; i && s->added[i - 1].n < n; i--)
        s->added[i] = s->added[i - 1];
    s->added[i] = (struct added){xmalloc(n + 1), n, id};
    memcpy(s->added[i].text, text, n);
    s->first[text[0]] = 1;
    return 0;
}

struct split_state *split_state_create(const struct split *s)
{
    struct split_state *st = xcalloc(1, sizeof *st);

    for (int i = 0; i < s->n_stage; i++)
        st->match[i] = pcre2_match_data_create(1, NULL);
    st->context = pcre2_match_context_create(NULL);
    st->stack = pcre2_jit_stack_create((size_t)64 << 10, JIT_STACK_MAX, NULL);
    BUG_ON(!st->context);
    if (st->stack)
        pcre2_jit_stack_assign(st->context, NULL, st->stack);
    return st;
}

void split_state_destroy(struct split_state *st)
{
    if (!st)
        return;
    for (int i = 0; i < STAGES; i++)
        pcre2_match_data_free(st->match[i]);
    pcre2_match_context_free(st->context);
    pcre2_jit_stack_free(st->stack);
    free(st);
}

/* --- cutting */

struct cut {
    const struct split *s;
    struct split_state *st;
    void (*word)(void *ctx, const uint8_t *text, size_t n, int32_t id);
    void *ctx;
};

/* 1: a match from `from` on, at [*at, *end); 0: none. */
static int next_match(const struct cut *c, int stage, const uint8_t *text,
                      size_t n, size_t from, size_t *at, size_t *end,
                      struct err *e)
{
    pcre2_match_data *m = c->st->match[stage];
    const PCRE2_SIZE *where = pcre2_get_ovector_pointer(m);
    int rc;

    while (from < n && c->s->passed[stage][text[from]])
        from++;
    if (from == n)
        return 0;
    rc = c->s->jit[stage] ? pcre2_jit_match(c->s->stage[stage], text, n, from,
                                            PCRE2_NOTEMPTY, m, c->st->context)
                          : pcre2_match(c->s->stage[stage], text, n, from,
                                        PCRE2_NOTEMPTY | PCRE2_NO_UTF_CHECK, m,
                                        c->st->context);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0)
        return err_set(e, ERR_USAGE,
                       "offset %zu: the pattern of the tokenizer gives up "
                       "(PCRE2 error %d)",
                       from, rc);
    *at = where[0];
    *end = where[1];
    return 1;
}

static int cut_piece(const struct cut *c, int stage, const uint8_t *text,
                     size_t n, struct err *e)
{
    size_t from = 0, at = n, end = n;
    int last = stage + 1 == c->s->n_stage, rc;

    if (stage == c->s->n_stage) {
        c->word(c->ctx, text, n, -1);
        return 0;
    }
    while (from < n) {
        rc = next_match(c, stage, text, n, from, &at, &end, e);
        if (rc < 0)
            return -1;
        if (!rc)
            at = end = n;
        if (at > from && cut_piece(c, stage + 1, text + from, at - from, e))
            return -1;
        if (end > at && last)
            c->word(c->ctx, text + at, end - at, -1);
        else if (end > at && cut_piece(c, stage + 1, text + at, end - at, e))
            return -1;
        from = end;
    }
    return 0;
}

/* The added token that begins at text, or NULL. */
static const struct added *added_at(const struct split *s, const uint8_t *text,
                                    size_t n)
{
    for (size_t i = 0; s->first[text[0]] && i < s->n_added; i++)
        if (s->added[i].n <= n &&
            !memcmp(s->added[i].text, text, s->added[i].n))
            return &s->added[i];
    return NULL;
}

int split_words(const struct split *s, struct split_state *st,
                const uint8_t *text, size_t n,
                void (*word)(void *ctx, const uint8_t *text, size_t n,
                             int32_t id),
                void *ctx, struct err *e)
{
    struct cut c = {s, st, word, ctx};
    size_t from = 0;

    for (size_t i = 0; s->n_added && i < n;) {
        const struct added *a = added_at(s, text + i, n - i);

        if (!a) {
            i++;
            continue;
        }
        if (i > from && cut_piece(&c, 0, text + from, i - from, e))
            return -1;
        word(ctx, text + i, a->n, a->id);
        from = i += a->n;
    }
    return from < n ? cut_piece(&c, 0, text + from, n - from, e) : 0;
}

#else /* without PCRE2 no pattern can be matched */

int split_create(struct split **s, struct err *e)
{
    *s = NULL;
    return err_set(e, ERR_ENV,
                   "this build has no PCRE2, which tokenizers of words need "
                   "(package libpcre2-dev, then build again)");
}

void split_destroy(struct split *s)
{
    (void)s;
}

int split_add(struct split *s, const char *pattern, enum split_flavour flavour,
              struct err *e)
{
    (void)flavour;
    (void)pattern;
    return split_create(&s, e);
}

int split_add_text(struct split *s, const uint8_t *text, size_t n, int32_t id)
{
    (void)s, (void)text, (void)n, (void)id;
    return -1;
}

struct split_state *split_state_create(const struct split *s)
{
    (void)s;
    return NULL;
}

void split_state_destroy(struct split_state *s)
{
    (void)s;
}

int split_words(const struct split *s, struct split_state *st,
                const uint8_t *text, size_t n,
                void (*word)(void *ctx, const uint8_t *text, size_t n,
                             int32_t id),
                void *ctx, struct err *e)
{
    struct split *none;

    (void)s, (void)st, (void)text, (void)n, (void)word, (void)ctx;
    return split_create(&none, e);
}

#endif
