/* ledger: curves on their way into the database.
 *
 * Step and evaluation rows are collected and written in one transaction a
 * second, or a thousand rows, whichever comes first: a commit costs what one
 * row costs.  A change of a run's state writes what is collected first, so no
 * run is ever done in the database before its curve is there. */
#ifndef LOGLOG_RUNNER_LEDGER_H
#define LOGLOG_RUNNER_LEDGER_H

#include "db/metrics.h"
#include "runner/proto.h"

#define LEDGER_ROWS 1000
#define LEDGER_SECONDS 1.0

struct ledger {
    struct store *db;
    struct db_step *step;
    struct db_eval *eval;
    struct db_position *position;
    size_t n_step, n_eval, n_position, cap_step, cap_eval, cap_position;
    double since; /* when the oldest row was collected */
    int64_t rows; /* written so far */
};

void ledger_init(struct ledger *l, struct store *db);
void ledger_release(struct ledger *l);

void ledger_steps(struct ledger *l, const struct msg_steps *m);
/* set: the name of the validation set; borrowed. */
void ledger_eval(struct ledger *l, const struct msg_eval *m, const char *set);
void ledger_position(struct ledger *l, const struct msg_position *m,
                     const char *set);
/* Write if it is time. */
int ledger_tick(struct ledger *l, struct err *e);
/* Write all there is. */
int ledger_flush(struct ledger *l, struct err *e);

#endif
