/* train_output: what `loglog train` says of its run, as lines for a reader
 * and as JSON lines. */
#ifndef LOGLOG_RUNNER_TRAIN_OUTPUT_H
#define LOGLOG_RUNNER_TRAIN_OUTPUT_H

#include "trainer/train.h"

#include <stdio.h>

/* Where reports go. */
struct train_output {
    FILE *file; /* JSON lines; NULL: none */
    const struct run_spec *spec;
    const char *set_name[TRAIN_SETS];
    double said;
    double began, startup;      /* seconds to the first step */
    double bytes_before, bytes; /* taken before the run, and by it */
};

/* Reports to *o, which must live as long as the run; by_position: also what
 * the last evaluation has by position in the window. */
struct observer train_output_observer(struct train_output *o, int by_position);

/* Just before train(): memory taken before it is not the run's. */
void train_output_begin(struct train_output *o);

/* The closing lines: what the run cost beside its steps, and its result. */
void train_output_end(const struct train_output *o,
                      const struct train_result *r);

#endif
