/* study: the YAML file, parsed and checked.
 *
 * Unknown keys, impossible values and missing files are refused with
 * `file:line: what, expected, did you mean`.  Every number may be written
 * 3e-4.  Nothing here touches MPI or a database. */
#ifndef LOGLOG_SWEEP_STUDY_H
#define LOGLOG_SWEEP_STUDY_H

#include "base/err.h"
#include "base/str.h"
#include "sweep/device_kind.h"
#include "sweep/retain.h"
#include "sweep/shape.h"
#include "sweep/spec.h"

#include <stddef.h>
#include <stdint.h>

#define STUDY_NAME 64
#define STUDY_PATH 1024
#define STUDY_FLOPS 32 /* most budgets of one stage */
#define STUDY_SEEDS 16
#define STUDY_STAGES 16
#define STUDY_VALID 4           /* most validation sets */
#define STUDY_GRID 64           /* most values on one axis */
#define STUDY_EARLY_AT 0.4      /* of `early: true` ... */
#define STUDY_EARLY_MARGIN 0.05 /* ... and its margin */
#define STUDY_EXTEND 3          /* extensions of a budget with `extend: true` */

enum stage_kind {
    STAGE_HYPER,   /* batch x lr grid at each budget */
    STAGE_ISOFLOP, /* sizes at each budget */
    STAGE_PREDICT, /* register predictions, before verify may start */
    STAGE_VERIFY   /* run what was predicted */
};

enum hyper_source {
    HYPER_FITTED,   /* the law fitted on this study's hyper stage */
    HYPER_DEEPSEEK, /* Eq. 1 */
    HYPER_FIXED     /* lr and batch given in the stage */
};

/* Increasing positive values: a number, a list, or from, from*ratio, ... up to
 * and including to (within rounding); see axis.h. */
struct axis {
    int n;
    double value[STUDY_GRID];
    double ratio; /* between neighbours, for extension; 1 if n == 1 */
};

struct stage {
    enum stage_kind kind;
    char name[32]; /* unique in the study; the kind's name by default */
    int line;      /* in the file, for messages */
    struct axis flops;
    struct axis lr;    /* hyper */
    struct axis batch; /* hyper: tokens */
    struct axis M;     /* hyper: of the model of every budget, or one for each;
                          isoflop: of the models of every budget; n = 0: by
                          centre, sizes and span */
    int64_t width;     /* hyper: d_model of the model of every budget; 0: by M
                          or centre */
    int sizes;         /* isoflop: models a budget */
    double span;       /* isoflop: largest M / smallest M */
    double centre;     /* hyper, isoflop: multiple of Eq. 4's M_opt */
    enum hyper_source hyper; /* isoflop, predict, verify */
    double lr_fixed;
    int64_t batch_fixed;
    int trunk;       /* 1: runs that share their first steps take them once */
    int extend;      /* most times each budget's design may be extended */
    double early_at; /* hyper: share of the steps at which hopeless runs
                        stop; 0: none do */
    double early_margin; /* that much behind the best cell */
    int n_seed;
    int64_t seed[STUDY_SEEDS];
    int n_confirm; /* seeds with which the best of each budget is trained too */
    int64_t confirm[STUDY_SEEDS];
};

struct study_set {
    char name[32]; /* "valid", "ood": the name losses are stored under */
    char path[STUDY_PATH];
    int line;
};

struct study {
    char name[STUDY_NAME];
    char file[STUDY_PATH];  /* where it was read, for messages */
    char train[STUDY_PATH]; /* packed shards; a relative path in the file is
                               taken from the directory of the file, here it
                               stands resolved */
    int train_line;
    int n_valid; /* laws are fitted to the losses on the first set */
    struct study_set valid[STUDY_VALID];
    struct shape_rule shape;
    struct run_spec base; /* everything a stage does not vary */
    double warmup;        /* fraction of the steps ... */
    int64_t warmup_max;   /* ... but at most this many */
    int warmup_shared;    /* 1: of the steps of the smallest budget's run */
    int trunk;            /* 1: stages share first steps unless they say no */
    int64_t checkpoint_seconds;
    int max_attempts;
    int gang; /* processes a run; 0: by rule */
    enum device_kind device;
    struct retain log;       /* of the steps of finished runs */
    int how[DEVICE_CHOICES]; /* on a GPU */
    int n_stage;
    struct stage stage[STUDY_STAGES];
};

/* Read and check the file.  Data files need not exist (check with
 * study_check_data). */
int study_read(struct study *s, const char *path, struct err *e);
/* The same from a text; `name` stands for the path, in messages and as the
 * place that relative paths are taken from. */
int study_parse(struct study *s, const char *name, const char *text, size_t len,
                struct err *e);
/* Do the data files exist? */
int study_check_data(const struct study *s, struct err *e);
/* The resolved study, every default filled in, as YAML that study_parse with
 * the same name reads back to the same study (but for line numbers).  It does
 * not depend on where the study file lies. */
void study_print(struct str *out, const struct study *s);
/* "hyper", "isoflop", "predict", "verify". */
const char *stage_kind_name(enum stage_kind kind);

#endif
