/* predict: what to run for a budget not yet spent, and what it will score.
 *
 * struct laws holds every law of a study, fitted once; predict() reads off the
 * model, data, batch and learning rate for a budget and the loss with an
 * interval.  Where a law is not identified it says so, in words, beside the
 * value it used instead; where the loss law is refused there is no loss.
 * Several surfaces are put side by side, because beyond the data their
 * disagreement is part of the answer.
 *
 * The road of a study:  points of its stages -> laws_fit -> predict for each
 * budget -> prediction_json, which db_prediction_put registers. */
#ifndef LOGLOG_ANALYSIS_PREDICT_H
#define LOGLOG_ANALYSIS_PREDICT_H

#include "analysis/curve.h"
#include "analysis/hyper_fit.h"
#include "analysis/isoflop_fit.h"
#include "base/err.h"
#include "sweep/plan.h"
#include "sweep/shape.h"
#include "sweep/study.h"

struct points; /* analysis/points.h */

/* What the predictions are of.  laws_opts_study fills it from a study. */
struct laws_opts {
    struct model_spec model; /* family, vocab, seq_len, ... of the study */
    struct shape_rule shape;
    enum hyper_source hyper; /* HYPER_FITTED, HYPER_DEEPSEEK, HYPER_FIXED */
    double lr_fixed;         /* HYPER_FIXED */
    double batch_fixed;
    int surfaces;  /* 1: fit further forms of the surface, for opinions */
    double level;  /* of every interval, 0.90 */
    int bootstrap; /* 1000 */
    uint64_t seed; /* 1 */
};
/* Without a study: DeepSeek LLM's vocabulary, context and proportions. */
void laws_opts_default(struct laws_opts *o);
/* From the study's base model, shape rule and the hyper source of its last
 * predict stage (else of its last verify, else of its last isoflop stage). */
void laws_opts_study(struct laws_opts *o, const struct study *s);

struct laws {
    struct laws_opts opts;
    int have_hyper, have_isoflop, have_curve, have_surface;
    struct hyper_fit hyper;
    struct isoflop_fit isoflop;
    struct curve_fit curve;
    struct laws_surface *surface; /* private to predict.c */
    struct hyper_law law;         /* what is used for lr and batch ... */
    struct str law_how;           /* ... and how it was got, in words */
    double flops_top;             /* largest budget in the isoflop runs */
    double flops_mid;             /* their geometric mean */
};

/* Fit everything there is: hyper and isoflop are the points of those stages
 * (either may be NULL or empty).  -1 only if there is nothing at all to fit;
 * laws that are refused carry their reasons.  Release what succeeded. */
int laws_fit(struct laws *l, const struct points *hyper,
             const struct points *isoflop, const struct laws_opts *o,
             struct err *e);
void laws_release(struct laws *l);

/* One opinion about the loss at a budget, of one run of the chosen shape. */
#define PREDICT_OPINIONS 8
struct opinion {
    const char *name;   /* "average over exponents", "L = E + k C^-p", ... */
    double bpb, lo, hi; /* NaN where it has no interval */
    double M;           /* the size it would choose; NaN: no opinion */
};

/* A model smaller than the best by `factor`, by the surface. */
#define PREDICT_OVER 4
struct over_trained {
    double factor;
    double excess; /* relative loss above the best, at the same compute */
    double flops;  /* compute for the loss of the best, over that of the best;
                      INFINITY: out of its reach */
    double tokens_per_param; /* then */
};

struct prediction {
    double flops;
    double M_opt, D_opt;     /* of the law */
    struct choice choice;    /* what to run: the nearest shape the rule makes */
    double M, N, D;          /* of that shape; D = flops / M */
    double params;           /* parameters that exist */
    double tokens_per_param; /* D / params */
    int metric_bpb; /* 1: bpb below is bits per byte; 0: the points have only
                       a loss, and bpb below is that loss, in its unit */
    double lr, batch_tokens; /* as choice, batch before rounding */
    double bpb, lo, hi;      /* of one verification run; NaN if refused */
    double level;
    double decades; /* beyond the largest fitted budget */
    int allocation_identified, hyper_identified, loss_identified;
    char refused[320]; /* why there is no loss; "" if there is one */
    char settle[320];  /* what would settle what is not identified, and its
                          flops; "" if all is */
    double settle_flops;
    struct str how;  /* lines: how allocation, lr, batch, loss were got; the
                        same at every budget */
    struct str here; /* lines: what is so at this budget alone */
    int stretched;   /* the interval, to the surface's loss */
    struct opinion opinion[PREDICT_OPINIONS];
    int n_opinion;
    /* the cost of being off: relative excess loss at 0.5x and 2x M_opt (same
     * compute) by the surface where it is identified, else by the curvature of
     * the profiles; NaN if unknown */
    double half_M, double_M;
    struct over_trained over[PREDICT_OVER]; /* empty without a surface */
    int n_over;
    /* lowest and highest loss of the surfaces at the chosen shape; NaN with
     * fewer than two */
    double surfaces_lo, surfaces_hi;
};

/* Predict for one budget.  -1 with *e when nothing can be said: no laws that
 * give a size (no isoflop runs) or a budget that is no number.  Release what
 * succeeded. */
int predict(struct prediction *p, const struct laws *l, double flops,
            struct err *e);
void prediction_release(struct prediction *p);

/* The JSON object of `predict --json`: flops, M, N, D, batch_tokens, lr,
 * n_layer, d_model, ..., bpb, bpb_ci, level, decades, identified, refused,
 * settle, how, opinions.  Deterministic: the text that is registered and
 * hashed.  The caller's to free. */
char *prediction_json(const struct prediction *p);
/* The same for people, several lines. */
void prediction_print(struct str *out, const struct prediction *p);

/* One line for a budget in `predict --table`; NULL prediction: the head.  A
 * star: the interval is stretched to the surface's loss. */
void prediction_row(struct str *out, const struct prediction *p);

#endif
