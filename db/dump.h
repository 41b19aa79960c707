/* dump: private to db/.  The tables as lines of a journal. */
#ifndef LOGLOG_DB_DUMP_H
#define LOGLOG_DB_DUMP_H

#include "base/err.h"
#include "db/store.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The tables that hold a study, those that others refer to first; NULL at the
 * end.  (meta and session are about the file, not about the study.) */
extern const char *const dump_tables[];

/* Write all their rows to fd; the counts are increased. */
int dump_all(int fd, int64_t *lines, int64_t *bytes, struct store *db,
             struct err *e);
/* One operation `rows` of a dump, back into its table. */
int dump_load(struct store *db, const json_t *op, struct err *e);

/* One operation `import`, the same (imported.c). */
int imported_load(struct store *db, const json_t *op, struct err *e);

/* The columns of a table as "a, b, c", generated ones left out. */
int dump_columns(char **list, struct store *db, const char *schema,
                 const char *table, struct err *e);

#endif
