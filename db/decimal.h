/* decimal: private to db/.  Numbers as text, fast, for millions of rows. */
#ifndef LOGLOG_DB_DECIMAL_H
#define LOGLOG_DB_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_MAX 32 /* bytes that any number needs at most */

/* Both return the number of bytes written; no NUL is added. */
size_t decimal_int(char *out, int64_t v);
/* The fewest digits, from 15 to 17, that read back as v; the same text as
 * printf's %.15g, %.16g or %.17g.  v must be finite. */
size_t decimal_real(char *out, double v);

#endif
