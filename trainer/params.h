/* params: one table of the model's tensors, and nothing that repeats it. */
#ifndef LOGLOG_TRAINER_PARAMS_H
#define LOGLOG_TRAINER_PARAMS_H

#include "sweep/spec.h"

#include <stddef.h>
#include <stdint.h>

enum param_kind { PARAM_MATRIX, PARAM_EMBEDDING, PARAM_NORM };

struct param {
    char name[24]; /* "layer3.wqkv" */
    enum param_kind kind;
    size_t offset;      /* floats from the start of the flat block */
    int64_t rows, cols; /* as stored: y[rows] = W[rows, cols] x[cols] */
    float init_std;     /* 0 for norms, which start at 1 */
    int decay;          /* weight decay applies: matrices */
};

struct param_table {
    struct param *param;
    int n;
    size_t size; /* floats of the flat block, each tensor padded to 16 */
};

void params_init(struct param_table *t, const struct model_spec *m);
void params_release(struct param_table *t);

#endif
