/* bench: how fast the database is on this machine, measured. */
#ifndef LOGLOG_DB_BENCH_H
#define LOGLOG_DB_BENCH_H

#include "base/err.h"

#include <stdint.h>
#include <stdio.h>

struct db_bench {
    int64_t runs, rows;      /* what was made: runs, step rows of all */
    double insert_rate;      /* step rows a second, journal and all */
    double row_bytes;        /* of the file, a step row */
    double journal_bytes;    /* of the journal, a step row */
    double status_ms;        /* db_status */
    double by_run_ms;        /* the slowest view asked for one run ... */
    const char *by_run_view; /* ... which is this one */
    double points_ms;        /* db_points of the whole study */
    double export_rate;      /* step rows a second, CSV to nowhere */
};

/* Make a database of `runs` finished runs with `rows` step rows in all at path
 * (which must not exist), eight runs at a time in batches of a thousand rows,
 * measure, and remove it.  Times of questions are the median of nine. */
int db_bench(struct db_bench *b, const char *path, int64_t runs, int64_t rows,
             struct err *e);
/* As a short table for people, or one JSON object. */
void db_bench_print(FILE *out, const struct db_bench *b, int json);

#endif
