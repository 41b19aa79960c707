/* laws_impl: what laws.c fits and predict.c reads beyond predict.h. */
#ifndef LOGLOG_ANALYSIS_LAWS_IMPL_H
#define LOGLOG_ANALYSIS_LAWS_IMPL_H

#include "analysis/bootstrap.h"
#include "analysis/predict.h"
#include "analysis/surface.h"

#include <stddef.h>

#define LAWS_OTHER 3

/* L(M, D) = E + A/M^alpha + B/D^beta of the isoflop runs, and its parameters
 * over resamples of the runs. */
struct laws_surface {
    double *M, *D, *loss; /* (n) each, one block that M owns */
    size_t n;
    double *boot; /* a resample, while resampling */
    struct surface_fit fit;
    struct bootstrap draws; /* 5 statistics: E, A, B, alpha, beta */
    int have_draws;
    /* Other forms on the same runs, for opinions. */
    struct surface_fit other[LAWS_OTHER];
    int n_other;
};

#endif
