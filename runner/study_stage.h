/* study_stage: the inside of study_run, shared by study_run.c (when),
 * study_fit.c (what a stage's results decide) and study_predict.c. */
#ifndef LOGLOG_RUNNER_STUDY_STAGE_H
#define LOGLOG_RUNNER_STUDY_STAGE_H

#include "analysis/points.h"
#include "base/str.h"
#include "runner/study_run.h"
#include "sweep/plan.h"

enum stage_now { STAGE_WAITING, STAGE_OPEN, STAGE_COMPLETE, STAGE_REFUSED };

struct stage_run {
    enum stage_now now;
    int was_complete;      /* in the database, when we began */
    struct plan plan;      /* all its runs */
    enum run_state *state; /* (plan.n) */
    size_t left;           /* runs that are not final */
};

struct study_run {
    const struct study *study;
    struct store *db;
    int64_t id;
    const struct cost_model *cost;
    struct plan_context ctx; /* law points to `law` once there is one */
    struct hyper_law law;
    struct stage_run stage[STUDY_STAGES];
    struct str why; /* of a refusal */
};

/* Store the stage's state with a reason (may be NULL). */
int stage_mark(struct study_run *s, int k, enum stage_now now,
               const char *reason, struct err *e);
/* Take the stage's runs as they are in the database. */
int stage_load(struct study_run *s, int k, struct err *e);
/* Store the runs [from, n) of the stage's plan, in one transaction. */
int stage_store(struct study_run *s, int k, size_t from, struct err *e);

/* The points of every stage of this kind (k < 0), or of stage k; *p is
 * initialised by it and, on success, the caller's to release. */
int stage_points(struct points *p, const struct study_run *s,
                 enum stage_kind kind, int k, struct err *e);
/* Tell the user and the database. */
int stage_note(const struct study_run *s, const char *text, struct err *e);
/* The study ends at stage k; settle (may be NULL): what would change that. */
int stage_refuse(struct study_run *s, int k, const char *reason,
                 const char *settle, struct err *e);

/* Judge a stage whose runs are all final: 1 when its design was extended, 0
 * when it is complete or refused (stage_mark was called), -1 with *e. */
int stage_judge_hyper(struct study_run *s, int k, struct err *e);
int stage_judge_isoflop(struct study_run *s, int k, struct err *e);
int stage_judge_verify(struct study_run *s, int k, struct err *e);
/* With `confirm`: see that the best cell of each budget of stage k was trained
 * with those seeds too.  p: its points.  Returns 1 when runs were added. */
int stage_confirm(struct study_run *s, int k, const struct points *p,
                  struct err *e);

/* The law of all hyper stages, from their results, into ctx. */
int study_law(struct study_run *s, struct err *e);
/* Register the predictions of stage k; marks it complete or refused. */
int stage_predict(struct study_run *s, int k, struct err *e);
/* Plan verify stage k from the registered predictions. */
int stage_plan_verify(struct study_run *s, int k, struct err *e);

#endif
