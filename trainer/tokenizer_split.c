/* tokenizer_split: words by patterns; see tokenizer_impl.h.
 *
 * The patterns were written for other engines and are rewritten for PCRE2
 * (tokenizer_pattern.h).  Classes and the usual patterns are matched without it
 * (tokenizer_scan.h): then it only says what a class holds. */
#include "base/mem.h"
#include "base/utf8.h"
#include "trainer/tokenizer_impl.h"
#include "trainer/tokenizer_pattern.h"
#include "trainer/tokenizer_scan.h"

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
    struct scan scan[STAGES]; /* of stages that need no engine */
    int n_stage;
    pcre2_code *class[SCAN_CLASSES]; /* one character each, by their bit */
    int n_class;
    struct added *added; /* longest first; cut out before the stages */
    size_t n_added, cap_added;
    uint8_t first[256]; /* bytes that one of them begins with */
    int only;           /* the one that all do; -1: they differ */
};

struct split_state {
    pcre2_match_data *match[STAGES];
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    const struct split *split;
    pcre2_match_data *one; /* for classes */
    struct scan_pages pages;
};

/* --- making */

static uint32_t options(enum split_flavour flavour)
{
    return PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C |
           (flavour == SPLIT_RUST ? PCRE2_DOLLAR_ENDONLY : PCRE2_MULTILINE);
}

static pcre2_code *compile(const char *text, size_t n, uint32_t with, int *jit,
                           int *code)
{
    PCRE2_SIZE at;
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)text, n, with, code, &at, NULL);

    *jit = c && !pcre2_jit_compile(c, PCRE2_JIT_COMPLETE);
    return c;
}

/* The bit of the class that is text[0 .. n); -1: there is no room for it. */
static int add_class(struct split *s, const char *text, size_t n)
{
    static const char digits[] = "[0-9\\p{N}]";
    int code, jit;

    if (s->n_class > SCAN_N && n == strlen(digits) && !memcmp(text, digits, n))
        return SCAN_N;

    if (s->n_class == SCAN_CLASSES)
        return -1;
    s->class[s->n_class] = compile(text, n, options(SPLIT_RUST), &jit, &code);
    return s->class[s->n_class] ? s->n_class++ : -1;
}

int split_create(struct split **out, struct err *e)
{
    static const char *const first[SCAN_FIRST] = {"\\p{L}", "\\p{M}", "\\p{N}",
                                                  "\\p{P}", "\\p{S}", "\\s"};
    struct split *s = xcalloc(1, sizeof *s);
    struct str text;

    *out = s;
    str_init(&text);
    for (int i = 0; i < SCAN_FIRST; i++) {
        str_clear(&text);
        if (pattern_rewrite(&text, first[i], e) ||
            add_class(s, text.text, text.len) != i)
            break;
    }
    str_release(&text);
    return s->n_class == SCAN_FIRST
               ? 0
               : err_set(e, ERR_ENV, "PCRE2 without Unicode properties");
}

void split_destroy(struct split *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_stage; i++)
        pcre2_code_free(s->stage[i]);
    for (int i = 0; i < s->n_class; i++)
        pcre2_code_free(s->class[i]);
    for (size_t i = 0; i < s->n_added; i++)
        free(s->added[i].text);
    free(s->added);
    free(s);
}

/* Can it be matched together with the stage before? */
static int join(struct split *s, const char *pattern, const char *class,
                size_t n)
{
    struct scan *before = s->n_stage ? &s->scan[s->n_stage - 1] : NULL;
    int bit;

    if (!before || !scan_may_follow(before, pattern))
        return 0;
    bit = add_class(s, class, n);
    before->then = bit < 0 ? 0 : bit;
    return bit >= 0;
}

static struct scan find_scan(struct split *s, const char *pattern,
                             const struct str *rewritten,
                             enum split_flavour flavour)
{
    struct scan scan = scan_known(pattern, flavour);
    size_t n;

    if (scan.kind == SCAN_NOT &&
        (scan.most = pattern_class(rewritten->text, &n))) {
        scan.bit = add_class(s, rewritten->text, n);
        scan.kind = scan.bit < 0 ? SCAN_NOT : SCAN_CLASS;
    }
    return scan;
}

int split_add(struct split *s, const char *pattern, enum split_flavour flavour,
              struct err *e)
{
    int code, stage = s->n_stage;
    char why[128] = "";
    struct str text;
    size_t n;

    if (stage == STAGES)
        return err_set(e, ERR_USAGE, "more than %d patterns", STAGES);
    str_init(&text);
    if (pattern_rewrite(&text, pattern, e)) {
        str_release(&text);
        return -1;
    }
    if (pattern_class(text.text, &n) == SIZE_MAX &&
        join(s, pattern, text.text, n)) {
        str_release(&text);
        return 0;
    }
    s->stage[stage] =
        compile(text.text, text.len, options(flavour), &s->jit[stage], &code);
    if (s->stage[stage])
        s->scan[stage] = find_scan(s, pattern, &text, flavour);
    str_release(&text);
    if (!s->stage[stage]) {
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        return err_set(e, ERR_USAGE, "pattern %.200s: %s", pattern, why);
    }
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
    s->only = s->n_added == 1 || s->only == text[0] ? text[0] : -1;
    s->first[text[0]] = 1;
    return 0;
}

int split_needs_engine(const struct split *s)
{
    for (int i = 0; i < s->n_stage; i++)
        if (s->scan[i].kind == SCAN_NOT)
            return 1;
    return 0;
}

/* Which of the 256 characters from `first` on are of which class: all of them
 * as one text, in which the members of a class are found one by one. */
static void ask(void *ctx, uint8_t page[256], uint32_t first)
{
    struct split_state *st = ctx;
    const PCRE2_SIZE *where = pcre2_get_ovector_pointer(st->one);
    uint8_t text[256 * 4];
    size_t at[257] = {0};

    for (uint32_t c = 0; c < 256; c++)
        at[c + 1] = at[c] + utf8_put(text + at[c], first + c);
    for (int k = 0; k < st->split->n_class; k++) {
        size_t from = 0;

        for (int c = 0; pcre2_match(st->split->class[k], text, at[256], from,
                                    PCRE2_NO_UTF_CHECK, st -> one, NULL) > 0;
             from = where[1]) {
            while (at[c] < where[0])
                c++;
            page[c] |= (uint8_t)(1 << k);
        }
    }
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
    st->one = pcre2_match_data_create(1, NULL);
    BUG_ON(!st->one);
    st->split = s;
    st->pages.ask = ask;
    st->pages.ctx = st;
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
    pcre2_match_data_free(st->one);
    scan_pages_release(&st->pages);
    free(st);
}

/* --- cutting */

struct cut {
    const struct split *s;
    struct split_state *st;
    void (*word)(void *ctx, const uint8_t *text, size_t n, int32_t id);
    void *ctx;
};

/* 1: a match from `from` on; 0: none. */
static int next_match(struct scan_match *found, const struct cut *c, int stage,
                      const uint8_t *text, size_t n, size_t from, struct err *e)
{
    pcre2_match_data *m = c->st->match[stage];
    const PCRE2_SIZE *where = pcre2_get_ovector_pointer(m);
    int rc;

    if (c->s->scan[stage].kind != SCAN_NOT)
        return scan_next(found, &c->s->scan[stage], &c->st->pages, text, n,
                         from);
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
    *found = (struct scan_match){where[0], where[1], 0};
    return 1;
}

/* Is a match of this stage, of characters that are all of these, one word? */
static int is_word(const struct split *s, int stage, unsigned all)
{
    return stage + 1 == s->n_stage ||
           (stage + 2 == s->n_stage && scan_is_word(&s->scan[stage + 1], all));
}

static int cut_piece(const struct cut *c, int stage, const uint8_t *text,
                     size_t n, struct err *e)
{
    struct scan_match m;
    int rc;

    if (stage == c->s->n_stage) {
        c->word(c->ctx, text, n, -1);
        return 0;
    }
    for (size_t from = 0; from < n; from = m.end) {
        rc = next_match(&m, c, stage, text, n, from, e);
        if (rc < 0)
            return -1;
        if (!rc)
            m.at = m.end = n;
        if (m.at > from && cut_piece(c, stage + 1, text + from, m.at - from, e))
            return -1;
        if (m.end > m.at && is_word(c->s, stage, m.all))
            c->word(c->ctx, text + m.at, m.end - m.at, -1);
        else if (m.end > m.at &&
                 cut_piece(c, stage + 1, text + m.at, m.end - m.at, e))
            return -1;
    }
    return 0;
}

/* Where the next one may begin. */
static size_t skip_to_added(const struct split *s, const uint8_t *text,
                            size_t n, size_t i)
{
    const uint8_t *at;

    if (s->only >= 0 && i < n) {
        at = memchr(text + i, s->only, n - i);
        return at ? (size_t)(at - text) : n;
    }
    while (i < n && !s->first[text[i]])
        i++;
    return i;
}

/* The added token that begins at text, or NULL. */
static const struct added *added_at(const struct split *s, const uint8_t *text,
                                    size_t n)
{
    for (size_t i = 0; i < s->n_added; i++)
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

    for (size_t i = 0; s->n_added;) {
        const struct added *a;

        i = skip_to_added(s, text, n, i);
        if (i == n)
            break;
        a = added_at(s, text + i, n - i);

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

int split_needs_engine(const struct split *s)
{
    (void)s;
    return 1;
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
