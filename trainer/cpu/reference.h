/* reference: the parts of the plain-loop backend (reference.c). */
#ifndef LOGLOG_TRAINER_CPU_REFERENCE_H
#define LOGLOG_TRAINER_CPU_REFERENCE_H

#include "trainer/backend.h"

/* scratch: a double for each position. */
void reference_attention(float *o, float *stat, const float *qkv,
                         const struct attention *a, void *scratch);
void reference_attention_bwd(float *dqkv, const float *dout, const float *o,
                             const float *stat, const float *qkv,
                             const struct attention *a, void *scratch);

#endif
