/* tokenizer_pattern: see tokenizer_pattern.h. */
#include "trainer/tokenizer_pattern.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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

int pattern_rewrite(struct str *out, const char *pattern, struct err *e)
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

size_t pattern_class(const char *pattern, size_t *n)
{
    const char *p = pattern;
    int64_t most;
    char *end;

    if (*p++ != '[')
        return 0;
    p += *p == '^';
    p += *p == ']';
    for (; *p && *p != ']'; p++)
        p += *p == '\\' && p[1];
    if (!*p++)
        return 0;
    *n = (size_t)(p - pattern);
    if (!*p)
        return 1;
    if (!strcmp(p, "+"))
        return SIZE_MAX;
    if (strncmp(p, "{1,", 3) || !isdigit((unsigned char)p[3]))
        return 0;
    most = strtoll(p + 3, &end, 10);
    return strcmp(end, "}") ? 0 : (size_t)most;
}
