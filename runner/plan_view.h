/* plan_view: a study as `loglog plan` shows it.
 *
 * A stage that waits for results has no runs yet.  So that the total is priced
 * it is planned all the same, with DeepSeek's Eq. 1 for the law and Eq. 4 for
 * the predictions, and its runs are marked as estimates, without ids.  With a
 * database, stages that are planned there are shown as they are, and
 * predictions that are registered there are used. */
#ifndef LOGLOG_RUNNER_PLAN_VIEW_H
#define LOGLOG_RUNNER_PLAN_VIEW_H

#include "base/str.h"
#include "db/store.h"
#include "runner/plan_rows.h"
#include "runner/study_run.h"
#include "sweep/gpu_model.h"
#include "sweep/price.h"

/* Where the runs of a stage come from. */
enum stage_from { FROM_STUDY, FROM_DB, FROM_EQUATIONS };

struct stage_view {
    enum stage_from from;
    const char *note; /* why it is an estimate; NULL: it is none */
    size_t first, n;  /* its rows */
    double flops, seconds, seconds_left;
    double makespan;    /* of what is left */
    double trunk_saved; /* flops that trunks spare */
};

struct plan_view {
    struct study study;
    struct study_data data;
    int data_known;
    struct str data_note; /* why not */
    struct cost_model cost;
    int measure; /* fill cost from this machine, measure_init()ed */
    const struct device *device; /* that cost and price speak of */
    const struct gpu_chip *chip; /* predict kernel by kernel; NULL: by cost */
    struct {
        size_t runs, not_had; /* predicted, and those that it cannot have ... */
        struct err why;       /* ... of the first of them */
        double least_mfu, most_mfu, most_communication; /* of a step */
        int gang;
    } gpu;
    double watts; /* of one */
    double money; /* an hour of one; 0: not said */
    struct disk disk;
    int slots;
    struct store *db; /* NULL: none */
    int64_t db_study;
    struct plan_row *row;
    size_t n, cap;
    struct stage_view stage[STUDY_STAGES];
};

/* Read the study, look at its data and, if db is not NULL and the file is
 * there, at what was done; plan and price every stage.  v->cost, measure,
 * device, chip, watts, money and slots are the caller's to set before;
 * everything else is zero.  Release it also after a failure. */
int plan_view_read(struct plan_view *v, const char *study, const char *db,
                   struct err *e);
void plan_view_release(struct plan_view *v);

struct plan_totals {
    size_t runs;
    double flops, flops_exact, seconds, seconds_left;
    double trunk_saved; /* flops that trunks spare, of `flops` */
    double makespan;    /* of what is left; stages one after the other */
    double bytes;       /* of the largest run */
    struct price price, price_left;
    size_t flagged[PLAN_FLAGS];
};

void plan_view_totals(struct plan_totals *t, const struct plan_view *v);

#endif
