/* study_run: the stages of a study, and what each waits for.
 *
 *   hyper     nothing
 *   isoflop   with `hyper: fitted`: the law of all hyper stages; else nothing
 *   predict   every stage before it
 *   verify    the registered predictions
 *
 * A stage is planned when what it waits for is there, and frozen in the
 * database in one transaction; from then on its runs are those, whoever asks
 * again.  When all its runs are final its design is judged: an optimum at the
 * edge of the design extends it, up to the stage's limit.  A fit that is
 * refused ends the study there, with the reason and what would settle it.
 *
 * This module knows no slots and no processes: the coordinator takes the runs
 * to do and brings back their ends.  Everything it decides follows from the
 * study and the results alone, so it decides the same after any
 * interruption. */
#ifndef LOGLOG_RUNNER_STUDY_RUN_H
#define LOGLOG_RUNNER_STUDY_RUN_H

#include "base/err.h"
#include "db/runs.h"
#include "sweep/cost.h"
#include "sweep/study.h"

#include <stddef.h>
#include <stdint.h>

struct study_run;

/* Data facts that the plan needs; from the packed sets. */
struct study_data {
    double train_tokens;     /* distinct: copies of documents left out */
    double valid_tokens;     /* of all sets */
    char data[SPEC_DATA_ID]; /* identity */
};
/* Open the study's sets, read them off and check every byte of them
 * (shard_check_data); refused when the model's vocabulary is too small for
 * them, when they hold no window of seq_len, or when the training set holds a
 * validation set. */
int study_data_read(struct study_data *d, const struct study *study,
                    struct err *e);

/* db, study and cost are borrowed.  id: the study in the database. */
int study_run_open(struct study_run **s, const struct study *study,
                   struct store *db, int64_t id, const struct study_data *data,
                   const struct cost_model *cost, struct err *e);
void study_run_close(struct study_run *s);

/* Move every stage as far as it can go now.  *fresh (n of them) are the runs
 * that became known and are not final, to be freed by the caller; a run that
 * two stages share comes twice. */
int study_run_advance(struct study_run *s, struct db_run **fresh, size_t *n,
                      struct err *e);
/* A run became final.  Returns 1 when a stage has no open runs any more, so
 * that study_run_advance has something to do. */
int study_run_final(struct study_run *s, int64_t run, enum run_state state);

/* A run changed because somebody asked for it: it is stopped, or pending again,
 * and then a stage that had ended is open again.  Returns 1 when
 * study_run_advance has something to do, 0 when the study has no such run, or
 * -1 with *e. */
int study_run_asked(struct study_run *s, int64_t run, enum run_state state,
                    struct err *e);

enum study_end {
    STUDY_GOES_ON,
    STUDY_COMPLETE,
    STUDY_REFUSED /* a fit was refused and nothing else can go on */
};
enum study_end study_run_end(const struct study_run *s);
/* Why, when refused; several lines. */
const char *study_run_why(const struct study_run *s);

/* The runs of stage k, and what became of each: *state is a borrowed array of
 * as many. */
const struct plan *study_run_plan(const enum run_state **state,
                                  const struct study_run *s, int k);

/* Runs and compute of the stages known so far, for progress. */
struct study_tally {
    size_t runs, final, failed, diverged;
    double seconds, seconds_final; /* predicted, on one slot */
};
void study_run_tally(struct study_tally *t, const struct study_run *s);

#endif
