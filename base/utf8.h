/* utf8: what is UTF-8 and what is not (Unicode 15, table 3-7: no overlong
 * forms, no surrogates, nothing above U+10FFFF). */
#ifndef LOGLOG_BASE_UTF8_H
#define LOGLOG_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the well-formed sequence at p (n > 0 bytes left), or 0. */
size_t utf8_sequence(const uint8_t *p, size_t n);

/* How many bytes from the start of text are well-formed. */
size_t utf8_prefix(const uint8_t *text, size_t n);

/* The sequence of a character, at most 4 bytes; its length, or 0 of a number
 * that is no character. */
size_t utf8_put(uint8_t *p, uint32_t c);

#endif
