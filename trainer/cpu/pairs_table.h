/* pairs_table: what avx512bf16.c has for the table in avx512.c; see pairs.h. */
#ifndef LOGLOG_TRAINER_CPU_PAIRS_TABLE_H
#define LOGLOG_TRAINER_CPU_PAIRS_TABLE_H

#include "trainer/backend.h"

size_t pairs_pack_bytes(int64_t n, int64_t k);
size_t pairs_scratch_bytes(const struct backend_shape *s);
void pairs_pack(struct linear *l);
void pairs_linear(float *y, const float *x, const float *res,
                  const struct linear *l, int64_t m, void *scratch);
void pairs_linear_dx(float *dx, const float *dy, const struct linear *l,
                     int64_t m, void *scratch);
void pairs_linear_dw(float *dw, const float *dy, const float *x,
                     const struct linear *l, int64_t m, int add, void *scratch);
/* See struct backend. */
double pairs_peak(int64_t rounds);

#endif
