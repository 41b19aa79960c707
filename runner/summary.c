/* summary: what a study says in the end, from the views of the database, so
 * that it is the same whoever ran it and however often it was interrupted. */
#include "runner/coordinator_impl.h"

#include "base/mem.h"
#include "db/query.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double number(const char *text)
{
    double v;

    return text && !str_to_double(text, &v) ? v : NAN;
}

static int print_stage(void *ctx, int n, const char *const *v)
{
    (void)ctx;
    (void)n;
    printf("  %-10s %-9s %4s run%s%s%s\n", v[0], v[1], v[2],
           strcmp(v[2], "1") ? "s" : " ", v[3] ? "  " : "", v[3] ? v[3] : "");
    return 0;
}

static int print_fit(void *ctx, int n, const char *const *v)
{
    (void)ctx;
    (void)n;
    printf("  %-10s %s, %s points%s%s\n", v[0],
           !strcmp(v[1], "1") ? "identified" : "not identified", v[2],
           v[3] ? ": " : "", v[3] ? v[3] : "");
    return 0;
}

static int print_prediction(void *ctx, int n, const char *const *v)
{
    int64_t runs = 0;

    (void)ctx;
    (void)n;
    printf("  %.4g flops (%.1f decades beyond the fit): d_model %s, %s layers, "
           "lr %.3g, batch %s tokens\n"
           "    predicted %.4f bits per byte, %.0f %% interval %.4f to %.4f, "
           "registered %s\n",
           number(v[0]), number(v[1]), v[2], v[3], number(v[4]), v[5],
           number(v[6]), 100 * number(v[9]), number(v[7]), number(v[8]), v[10]);
    if (str_to_i64(v[11], &runs) || !runs)
        return 0;
    printf("    measured  %.4f bits per byte (%" PRId64 " run%s, %.4f to "
           "%.4f): %+.2f %%, %s the interval\n",
           number(v[12]), runs, runs == 1 ? "" : "s", number(v[13]),
           number(v[14]), number(v[15]),
           v[16] && !strcmp(v[16], "1") ? "inside" : "OUTSIDE");
    return 0;
}

int summary_print(struct store *db, int64_t study, struct err *e)
{
    static const struct {
        const char *title, *sql;
        int (*row)(void *ctx, int n, const char *const *v);
    } parts[] = {
        {"stages",
         "SELECT stage, state, runs, reason FROM stages WHERE study_id = "
         "%" PRId64 " ORDER BY stage_id",
         print_stage},
        {"laws",
         "SELECT law, identified, n, refused FROM fits WHERE fit IN (SELECT "
         "max(fit) FROM fits WHERE study_id = %" PRId64
         " GROUP BY law) ORDER BY fit",
         print_fit},
        {"predictions",
         "SELECT flops, decades, d_model, n_layer, lr, batch_tokens, bpb, "
         "bpb_lo, bpb_hi, level, made, runs, measured, measured_min, "
         "measured_max, error_percent, inside FROM predictions WHERE study_id "
         "= %" PRId64 " ORDER BY flops",
         print_prediction},
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct str sql;
        int rc;

        str_init(&sql);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        str_addf(&sql, parts[i].sql, study);
#pragma GCC diagnostic pop
        printf("%s\n", parts[i].title);
        rc = db_each(db, sql.text, parts[i].row, NULL, e);
        str_release(&sql);
        if (rc)
            return -1;
    }
    fflush(stdout);
    return 0;
}
