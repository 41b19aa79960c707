/* early: which cells of a grid are hopeless, from their losses part of the way.
 *
 * The runs of one budget's grid differ in batch and learning rate alone, so
 * they are compared at the same share of their steps, a rung, by the mean of
 * their training loss over the last EARLY_WINDOW of the steps before it; a
 * cell's seeds are averaged.  The ratio of two cells there is the prediction of
 * their ratio at the end.  A cell is hopeless when it is further behind the
 * best cell than the band within which runs count as near-optimal (0.25 %,
 * DeepSeek LLM 3.1) and a margin on top: high rates look worse on the plateau
 * than they end. What a margin costs is measured on complete grids:
 * docs/scheduling.md. */
#ifndef LOGLOG_ANALYSIS_EARLY_H
#define LOGLOG_ANALYSIS_EARLY_H

#include <stddef.h>
#include <stdint.h>

#define EARLY_BAND 0.0025
#define EARLY_WINDOW 0.25

struct early_run {
    double lr, batch;
    double loss;   /* as above; NaN: it never got there (diverged, failed) */
    double behind; /* of its cell, relative to the best; NaN without a loss */
    int stop;      /* its cell is hopeless */
};

/* The rung of a run of so many steps; 0 when it has none before its end. */
int64_t early_rung(int64_t steps, double at);
/* The first step of the window before a rung. */
int64_t early_window(int64_t rung);

/* Fill behind and stop for one grid, whatever the order of its runs; how many
 * stop.  The best cell never does. */
size_t early_judge(struct early_run *r, size_t n, double margin);

#endif
