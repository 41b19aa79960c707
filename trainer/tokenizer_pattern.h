/* tokenizer_pattern: patterns of other engines (Oniguruma, Rust's regex) as
 * PCRE2 is to read them.
 *
 * Where it would read them differently they are rewritten, and what has no
 * equal is refused:
 *
 *   \s \S       the 25 characters of Unicode's White_Space (PCRE2 adds U+180E)
 *   \p{Han}     the script, as there; PCRE2 would take the extended script
 *   \w \b \h... refused, and classes in classes, and && in them
 *
 * ($ is left to the flavour, tokenizer_impl.h.)  What remains is which
 * characters are letters: PCRE2 of Debian 12 knows Unicode 14.
 *
 * \p{L} and its kind become classes that name their ASCII characters too: those
 * are looked up in a bit map, others in tables. */
#ifndef LOGLOG_TRAINER_TOKENIZER_PATTERN_H
#define LOGLOG_TRAINER_TOKENIZER_PATTERN_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

/* Append to out; -1 when it is refused. */
int pattern_rewrite(struct str *out, const char *pattern, struct err *e);
/* Of a rewritten pattern that is one class, or up to so many of it: how many
 * (SIZE_MAX: any number), and the length of the class.  0: it is another one.
 */
size_t pattern_class(const char *pattern, size_t *n);

#endif
