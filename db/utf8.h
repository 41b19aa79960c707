/* utf8: private to db/.  What is stored and printed is UTF-8 (RFC 3629). */
#ifndef LOGLOG_DB_UTF8_H
#define LOGLOG_DB_UTF8_H

#include <stddef.h>

/* Bytes of the character at s; 0 when there is none. */
size_t utf8_length(const char *s);
int utf8_valid(const char *text);
/* A copy in which each byte that belongs to no character is U+FFFD; the
 * caller's to free. */
char *utf8_repair(const char *text);

#endif
