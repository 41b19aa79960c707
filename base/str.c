/* str: see str.h. */
#include "base/str.h"

#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void str_init(struct str *s)
{
    s->text = xcalloc(1, 16);
    s->len = 0;
    s->cap = 16;
}

void str_release(struct str *s)
{
    free(s->text);
    s->text = NULL;
    s->len = s->cap = 0;
}

void str_clear(struct str *s)
{
    s->len = 0;
    s->text[0] = '\0';
}

void str_add_n(struct str *s, const void *bytes, size_t n)
{
    s->text = mem_grow(s->text, &s->cap, s->len + n + 1, 1);
    memcpy(s->text + s->len, bytes, n);
    s->len += n;
    s->text[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
    str_add_n(s, text, strlen(text));
}

void str_addf(struct str *s, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    BUG_ON(n < 0);
    s->text = mem_grow(s->text, &s->cap, s->len + (size_t)n + 1, 1);
    vsnprintf(s->text + s->len, (size_t)n + 1, fmt, again);
    va_end(again);
    s->len += (size_t)n;
}

char *str_take(struct str *s)
{
    char *t = s->text;

    str_init(s);
    return t;
}

int str_to_double(const char *text, double *v)
{
    char *end;
    double x;

    if (!text[0] || strspn(text, "+-.0123456789eE") != strlen(text))
        return -1;
    errno = 0;
    x = strtod(text, &end);
    if (*end || end == text || !isfinite(x))
        return -1;
    *v = x;
    return 0;
}

int str_to_i64(const char *text, int64_t *v)
{
    char *end;
    long long i;
    double x;

    errno = 0;
    i = strtoll(text, &end, 10);
    if (end != text && !*end && !errno &&
        strspn(text, "+-0123456789") == strlen(text)) {
        *v = i;
        return 0;
    }
    if (str_to_double(text, &x) || x != floor(x) || fabs(x) > 0x1p53)
        return -1;
    *v = (int64_t)x;
    return 0;
}

/* Levenshtein distance; words here are short. */
static size_t distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    size_t row[64];

    if (nb >= ARRAY_LEN(row))
        return na + nb;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diag = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t sub = diag + (a[i - 1] != b[j - 1]);
            size_t best =
                row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            diag = row[j];
            row[j] = sub < best ? sub : best;
        }
    }
    return row[nb];
}

const char *str_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t best_d = strlen(word) / 3 + 2;

    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, words[i]);
        if (d < best_d && d < strlen(words[i])) {
            best_d = d;
            best = words[i];
        }
    }
    return best;
}

const char *str_double(char buf[STR_DOUBLE], double v)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(buf, STR_DOUBLE, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    return buf;
}

const char *str_bytes(char buf[STR_DOUBLE], double bytes)
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t u = 0;

    while (bytes >= 999.5 && u + 1 < ARRAY_LEN(unit)) {
        bytes /= 1000;
        u++;
    }
    snprintf(buf, STR_DOUBLE, u && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes,
             unit[u]);
    return buf;
}

const char *str_seconds(char buf[STR_DOUBLE], double s)
{
    if (s < 0.9995)
        snprintf(buf, STR_DOUBLE, "%.0f ms", s * 1000);
    else if (s < 99.95)
        snprintf(buf, STR_DOUBLE, "%.1f s", s);
    else if (s < 3600)
        snprintf(buf, STR_DOUBLE, "%.0fm %02.0fs", floor(s / 60),
                 floor(fmod(s, 60)));
    else if (s < 86400)
        snprintf(buf, STR_DOUBLE, "%.0fh %02.0fm", floor(s / 3600),
                 floor(fmod(s, 3600) / 60));
    else
        snprintf(buf, STR_DOUBLE, "%.0fd %02.0fh", floor(s / 86400),
                 floor(fmod(s, 86400) / 3600));
    return buf;
}
