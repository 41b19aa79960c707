/* table_row: with LOGLOG_TABLE set, tests print what they compare as the rows
 * of docs/fits.md; scripts/published-table runs those that do. */
#ifndef LOGLOG_TESTS_ANALYSIS_TABLE_ROW_H
#define LOGLOG_TESTS_ANALYSIS_TABLE_ROW_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static inline int table_wanted(void)
{
    return getenv("LOGLOG_TABLE") != NULL;
}

/* relative difference; of a published 0 the difference itself */
static inline void table_row(const char *set, const char *what,
                             double published, double ours)
{
    double d = published != 0 ? fabs(ours / published - 1) : fabs(ours);

    if (table_wanted())
        printf("| %s | %s | %.8g | %.8g | %.1e |\n", set, what, published, ours,
               d);
}

#endif
