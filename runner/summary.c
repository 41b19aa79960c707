/* summary: what a study says in the end, from the views of the database, so
 * that it is the same whoever ran it and however often it was interrupted. */
#include "runner/coordinator_impl.h"

#include "analysis/fit_json.h"
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
           strcmp(v[2], "1") ? "s" : "", v[3] ? "\n    " : "",
           v[3] ? v[3] : "");
    return 0;
}

/* The equations of a law, with its parameters' names in the stored fit. */
static const struct {
    const char *law, *text, *coef, *exponent;
} equations[] = {
    {"hyper", "lr", "lr_coef", "lr_exponent"},
    {"hyper", "batch", "batch_coef", "batch_exponent"},
    {"isoflop", "M_opt", "M_coef", "M_exponent"},
    {"isoflop", "D_opt", "D_coef", "D_exponent"},
};

static void print_equations(const char *law, const struct fit_result *r)
{
    const struct fit_param *E = fit_result_find(r, "E"),
                           *k = fit_result_find(r, "k"),
                           *p = fit_result_find(r, "p");

    for (size_t i = 0; i < ARRAY_LEN(equations); i++) {
        const struct fit_param *c, *x;

        c = fit_result_find(r, equations[i].coef);
        x = fit_result_find(r, equations[i].exponent);
        if (!strcmp(equations[i].law, law) && c && isfinite(c->value) && x)
            printf("%s = %.4g C^%.4f  ", equations[i].text, c->value, x->value);
    }
    if (!strcmp(law, "loss") && E && isfinite(E->value) && k && p)
        printf("bpb = %.4g + %.4g C^-%.4g  ", E->value, k->value, p->value);
}

static int print_fit(void *ctx, int n, const char *const *v)
{
    struct fit_result r;

    (void)ctx;
    (void)n;
    printf("  %-10s ", v[0]);
    if (!fit_result_from_json(&r, v[4], NULL)) {
        print_equations(v[0], &r);
        fit_result_release(&r);
    }
    printf("(%s points%s%s)\n", v[2],
           !strcmp(v[1], "1") ? "" : "; not identified: ", v[3] ? v[3] : "");
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
         "SELECT law, identified, n, refused, json FROM fits WHERE fit IN "
         "(SELECT "
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
