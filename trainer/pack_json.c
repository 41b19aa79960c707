/* pack_json: see pack_json.h. */
#include "trainer/pack_json.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#define MEMBERS 32 /* of an object, to find those that occur twice */
#define DEPTH 16
#define DIGITS 15

struct reader {
    const char *at, *end;
    char *text; /* where the text goes: no longer than the line */
    const char *field;
    size_t field_len;
    int depth, found;
};

struct span {
    const char *at;
    size_t n;
};

/* Which of eight bytes end a run of plain text: quotes, backslashes and what
 * is below a space; not zero when one does. */
static uint64_t stops(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t quote = eight ^ ones * '"', back = eight ^ ones * '\\';

    return ((eight - ones * 0x20) | (quote - ones) | (back - ones)) & ~eight &
           high;
}

/* How many bytes from p on stand for themselves in a string. */
static size_t plain(const char *p, const char *end)
{
    const char *from = p;
    uint64_t eight;

    for (; end - p >= 8; p += 8) {
        memcpy(&eight, p, 8);
        if (stops(eight))
            break;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return (size_t)(p - from);
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
        r->at++;
}

static int take(struct reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return 0;
    r->at++;
    return 1;
}

/* A number of four hex digits; 0: other than that. */
static unsigned hex4(const char *p)
{
    unsigned c = 0;

    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *d = p[i] ? strchr(digits, p[i]) : NULL;
        unsigned v = d ? (unsigned)(d - digits) : 0;

        if (!d)
            return 0;
        c = c << 4 | (v > 15 ? v - 6 : v);
    }
    return c;
}

/* \uXXXX, and its other half where it is one of two; 0: neither. */
static int escape_hex(struct reader *r, char **out)
{
    size_t left = (size_t)(r->end - r->at), n = 6;
    unsigned c = left < n ? 0 : hex4(r->at + 2), low;

    if (c >= 0xd800 && c < 0xdc00) {
        n = 12;
        low = left < n || memcmp(r->at + 6, "\\u", 2) ? 0 : hex4(r->at + 8);
        c = low >= 0xdc00 && low < 0xe000
                ? 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00))
                : 0;
    }
    if (!c || (c >= 0xdc00 && c < 0xe000))
        return 0;
    if (out)
        *out += utf8_put((uint8_t *)*out, c);
    r->at += n;
    return 1;
}

/* The escape at r->at; 0: none. */
static int escape(struct reader *r, char **out)
{
    static const char names[] = "nt\"\\/rbf", means[] = "\n\t\"\\/\r\b\f";
    const char *known;

    if (r->end - r->at < 2 || !r->at[1])
        return 0;
    if (r->at[1] == 'u')
        return escape_hex(r, out);
    known = strchr(names, r->at[1]);
    if (!known)
        return 0;
    if (out)
        *(*out)++ = means[known - names];
    r->at += 2;
    return 1;
}

/* The string that begins behind a quote goes to *out; NULL: it is passed over.
 * What it stands for is never longer than it is. */
static int string(struct reader *r, char **out)
{
    for (;;) {
        size_t n = plain(r->at, r->end);

        if (out) {
            memcpy(*out, r->at, n);
            *out += n;
        }
        r->at += n;
        if (r->at == r->end)
            return 0;
        if (*r->at == '"') {
            r->at++;
            return 1;
        }
        if (*r->at != '\\' || !escape(r, out))
            return 0;
    }
}

/* A number of few digits, without an exponent, or a word. */
static int scalar(struct reader *r)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t left = (size_t)(r->end - r->at), whole, part;
    const char *p = r->at;

    for (int i = 0; i < 3; i++)
        if (left >= strlen(words[i]) &&
            !memcmp(p, words[i], strlen(words[i]))) {
            r->at += strlen(words[i]);
            return 1;
        }
    p += *p == '-';
    for (whole = 0; p + whole < r->end && whole <= DIGITS; whole++)
        if (p[whole] < '0' || p[whole] > '9')
            break;
    if (!whole || whole > DIGITS || (whole > 1 && *p == '0'))
        return 0;
    p += whole;
    if (p < r->end && *p == '.') {
        for (part = 1; p + part < r->end && part <= DIGITS; part++)
            if (p[part] < '0' || p[part] > '9')
                break;
        if (part == 1 || part > DIGITS)
            return 0;
        p += part;
    }
    r->at = p;
    return p < r->end && strchr(",]} \t\r", *p) && *p;
}

static int object(struct reader *r);

static int value(struct reader *r)
{
    skip_space(r);
    if (r->at == r->end)
        return 0;
    if (*r->at == '"') {
        r->at++;
        return string(r, NULL);
    }
    if (*r->at != '{' && *r->at != '[')
        return scalar(r);
    if (r->depth == DEPTH)
        return 0;
    if (*r->at == '{')
        return object(r);
    r->at++;
    r->depth++;
    if (!take(r, ']')) {
        do
            if (!value(r))
                return 0;
        while (take(r, ','));
        if (!take(r, ']'))
            return 0;
    }
    r->depth--;
    return 1;
}

/* A member's name, none of those before it in the object; 0: not told. */
static int name(struct reader *r, struct span *known, size_t *n)
{
    struct span s;

    if (*n == MEMBERS || !take(r, '"'))
        return 0;
    s = (struct span){r->at, plain(r->at, r->end)};
    r->at += s.n;
    if (r->at == r->end || *r->at++ != '"')
        return 0;
    for (size_t i = 0; i < *n; i++)
        if (known[i].n == s.n && !memcmp(known[i].at, s.at, s.n))
            return 0;
    known[(*n)++] = s;
    return take(r, ':');
}

static int object(struct reader *r)
{
    struct span known[MEMBERS];
    size_t n = 0;

    if (!take(r, '{'))
        return 0;
    r->depth++;
    if (!take(r, '}')) {
        do {
            if (!name(r, known, &n))
                return 0;
            if (r->depth == 1 && known[n - 1].n == r->field_len &&
                !memcmp(known[n - 1].at, r->field, r->field_len)) {
                r->found = 1;
                if (!take(r, '"') || !string(r, &r->text))
                    return 0;
            } else if (!value(r)) {
                return 0;
            }
        } while (take(r, ','));
        if (!take(r, '}'))
            return 0;
    }
    r->depth--;
    return 1;
}

int pack_json_text(struct str *text, const char *line, size_t n,
                   const char *field)
{
    struct reader r = {.at = line,
                       .end = line + n,
                       .field = field,
                       .field_len = strlen(field)};

    str_clear(text);
    text->text = mem_grow(text->text, &text->cap, n + 1, 1);
    r.text = text->text;
    if (utf8_prefix((const uint8_t *)line, n) != n || !object(&r) || !r.found)
        return 0;
    skip_space(&r);
    text->len = (size_t)(r.text - text->text);
    text->text[text->len] = '\0';
    return r.at == r.end;
}
