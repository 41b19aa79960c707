/* hyper_use: the law to go on with, whether or not it was identified.
 *
 * A study cannot stop because three budgets do not decide an exponent: it
 * needs a learning rate and a batch for the next budgets, which are near.
 * Eq. 1 (DeepSeek LLM) is the prior; the data set the level. */
#include "analysis/hyper_impl.h"

#include <math.h>

double hyper_eq1(enum hyper_axis a)
{
    return a == AXIS_LR ? hyper_law_deepseek.lr_exp
                        : hyper_law_deepseek.batch_exp;
}

/* Mean of log optimum - exponent log C over interior grids, else over all;
 * *interior counts the first kind. */
static double level(int *interior, const struct hyper_fit *f, enum hyper_axis a,
                    double exponent)
{
    double sum = 0, all = 0;
    int n = 0;

    for (int i = 0; i < f->n_grid; i++) {
        const struct hyper_grid *g = &f->grid[i];
        double v = hyper_log_optimum(f, g, a) - exponent * log(g->flops);
        all += v;
        if (!hyper_interior(g, a))
            continue;
        sum += v;
        n++;
    }
    *interior = n;
    return n ? sum / n : all / f->n_grid;
}

static int varied(const struct hyper_fit *f, enum hyper_axis a)
{
    for (int i = 0; i < f->n_grid; i++)
        if (hyper_axis_n(&f->grid[i], a) > 1)
            return 1;
    return 0;
}

static void use(double *coef, double *exponent, struct str *how,
                const struct hyper_fit *f, enum hyper_axis a)
{
    const struct hyper_power *y = a == AXIS_LR ? &f->lr : &f->batch;
    const char *what = a == AXIS_LR ? "lr" : "batch", *which = "Eq. 1's";
    int interior;

    if (y->identified) {
        *coef = y->coef;
        *exponent = y->exponent;
        str_addf(how, "%s: %.4g C^%.4f, fitted to %d points of %d grids\n",
                 what, y->coef, y->exponent, y->n_point, y->n_grid);
        return;
    }
    *exponent = hyper_eq1(a);
    if (y->exponent_ci[0] > *exponent) {
        *exponent = y->exponent_ci[0];
        which = "the low end of the fitted interval, nearest to Eq. 1's,";
    } else if (y->exponent_ci[1] < *exponent) {
        *exponent = y->exponent_ci[1];
        which = "the high end of the fitted interval, nearest to Eq. 1's,";
    }
    *coef = exp(level(&interior, f, a, *exponent));
    str_addf(how,
             "%s: %.4g C^%.4f; the exponent is not identified (%s): %s "
             "exponent, the coefficient fitted to the optima of ",
             what, *coef, *exponent, y->refused, which);
    if (!varied(f, a))
        str_addf(how, "%d grid%s, where it was not varied\n", f->n_grid,
                 f->n_grid == 1 ? "" : "s");
    else if (interior)
        str_addf(how, "%d grid%s\n", interior, interior == 1 ? "" : "s");
    else
        str_addf(how, "%d grid%s, none of them interior: a bound\n", f->n_grid,
                 f->n_grid == 1 ? "" : "s");
}

void hyper_fit_use(struct hyper_law *law, struct str *how,
                   const struct hyper_fit *f)
{
    use(&law->lr_coef, &law->lr_exp, how, f, AXIS_LR);
    use(&law->batch_coef, &law->batch_exp, how, f, AXIS_BATCH);
}

int hyper_lr_left(double range[2], const struct hyper_fit *f, double flops)
{
    double at[2];
    int interior;

    if (f->lr.identified || !isfinite(f->lr.exponent_ci[0]) ||
        !isfinite(f->lr.exponent_ci[1]))
        return -1;
    for (int k = 0; k < 2; k++) {
        double x = f->lr.exponent_ci[k];
        at[k] = exp(level(&interior, f, AXIS_LR, x) + x * log(flops));
    }
    range[0] = fmin(at[0], at[1]);
    range[1] = fmax(at[0], at[1]);
    return 0;
}

double hyper_lr_of_ND(const struct hyper_fit *f, double N, double D)
{
    const struct hyper_score *nd = &f->score[HYPER_FORM_ND];
    const struct hyper_score *c = &f->score[HYPER_FORM_C];

    if (f->lr.identified || !f->lr_nd.ok || nd->n < 1 || nd->n < c->n ||
        !(nd->mean < c->mean))
        return NAN;
    return f->lr_nd.coef * pow(N, f->lr_nd.n) * pow(D, f->lr_nd.d);
}

double hyper_lr(const struct hyper_law *law, double flops)
{
    return law->lr_coef * pow(flops, law->lr_exp);
}

double hyper_batch(const struct hyper_law *law, double flops)
{
    return law->batch_coef * pow(flops, law->batch_exp);
}
