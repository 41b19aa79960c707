/* anneal_impl: anneal.c (one family) to anneal_fit.c (all of them). */
#ifndef LOGLOG_ANALYSIS_ANNEAL_IMPL_H
#define LOGLOG_ANALYSIS_ANNEAL_IMPL_H

#include "analysis/anneal.h"

/* Fit the trunk of f (name and trunk set, row with room for every run of the
 * set) and predict the rest of the family.  -1 when the draws of o cannot be
 * used. */
int anneal_family_fit(struct anneal_family *f, const struct series_set *t,
                      const struct anneal_options *o, struct err *e);

#endif
