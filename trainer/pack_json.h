/* pack_json: the text of a line of JSON lines, fast.
 *
 * Building a tree of every line costs more than all else that packing does, so
 * lines of the usual kind are read here, in one pass.  What is unusual
 * (numbers of many digits, escapes in names, objects of many members) or wrong
 * is left to the library of JSON: nothing is taken here that it would refuse,
 * and the text is the same. */
#ifndef LOGLOG_TRAINER_PACK_JSON_H
#define LOGLOG_TRAINER_PACK_JSON_H

#include "base/str.h"

#include <stddef.h>

/* Put into `text` what stands under `field` in the object that is the line of
 * n bytes.  0: not told; ask the library. */
int pack_json_text(struct str *text, const char *line, size_t n,
                   const char *field);

#endif
