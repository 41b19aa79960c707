/* str: a growing text buffer, strict numbers, and "did you mean". */
#ifndef LOGLOG_BASE_STR_H
#define LOGLOG_BASE_STR_H

#include <stddef.h>
#include <stdint.h>

/* text is never NULL and always terminated once str_init has run. */
struct str {
    char *text;
    size_t len, cap;
};

void str_init(struct str *s);
void str_release(struct str *s);
void str_clear(struct str *s);
void str_add(struct str *s, const char *text);
void str_add_n(struct str *s, const void *bytes, size_t n);
void str_addf(struct str *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The text, now the caller's to free; *s is empty again. */
char *str_take(struct str *s);

/* The whole of `text` as a finite number ("3e-4", "1e10"), or -1.  No
 * locale, no hex, no trailing characters. */
int str_to_double(const char *text, double *v);
/* The whole of `text` as an integer; "1e6" and "3e10" count as integers when
 * they are exact.  -1 otherwise. */
int str_to_i64(const char *text, int64_t *v);

/* The entry of words[0..n) nearest to `word`, or NULL when none is near
 * enough to suggest (more than a third of its letters differ). */
const char *str_nearest(const char *word, const char *const *words, size_t n);

/* The shortest decimal that reads back as exactly v, into buf. */
#define STR_DOUBLE 32
const char *str_double(char buf[STR_DOUBLE], double v);

/* "1.2 GB", "340 kB"; "2h 05m", "12.3 s": for people, never for machines. */
const char *str_bytes(char buf[STR_DOUBLE], double bytes);
const char *str_seconds(char buf[STR_DOUBLE], double seconds);

#endif
