/* The compute-optimal allocation of a surface.
 *
 * For terms A/X^alpha and B/D^beta under flops = factor X D the optimum is
 * closed (Hoffmann et al.): X = G (flops/factor)^(beta/(alpha+beta)) with
 * G = (alpha A/(beta B))^(1/(alpha+beta)).  Skaling's outer power is
 * monotone, so it has the same optimum. */
#include "analysis/surface_form.h"

#include <math.h>

int surface_optimum_law(double *coef, double *exponent, const struct surface *s,
                        double factor)
{
    int ia = form_find(s->form, ROLE_A), ib = form_find(s->form, ROLE_B);
    int al = form_find(s->form, ROLE_ALPHA);
    int be = form_find(s->form, ROLE_BETA);

    if (s->form == SURFACE_TIED)
        al = be = form_find(s->form, ROLE_BOTH);
    if (s->form == SURFACE_FARSEER || s->form == SURFACE_REPEATED)
        return -1;
    double alpha = s->p[al], beta = s->p[be];
    double k =
        s->form == SURFACE_SKALING ? s->p[form_find(s->form, ROLE_K)] : 1;
    if (!(alpha > 0 && beta > 0 && k > 0 && s->p[ia] > 0 && s->p[ib] > 0))
        return -1;
    *exponent = beta / (alpha + beta);
    *coef =
        exp((log(alpha * s->p[ia]) - log(beta * s->p[ib])) / (alpha + beta) -
            *exponent * log(factor));
    return 0;
}

/* ln L along flops = factor X D, in t = ln X.  No data are repeated. */
static double along(const struct surface *s, double t, double ln_xd)
{
    return log(surface_loss(s, exp(t), exp(ln_xd - t), NAN));
}

int surface_optimum(double *size, double *tokens, double *loss,
                    const struct surface *s, double flops, double factor,
                    struct err *e)
{
    double ln_xd = log(flops / factor), coef, exponent;

    if (!(flops > 0) || isinf(flops))
        return err_set(e, ERR_USAGE, "flops is %g, expected a positive number",
                       flops);
    if (surface_optimum_law(&coef, &exponent, s, factor) == 0) {
        *size = coef * pow(flops, exponent);
        *tokens = flops / factor / *size;
        *loss = surface_loss(s, *size, *tokens, NAN);
        return 0;
    }
    if (s->form != SURFACE_FARSEER && s->form != SURFACE_REPEATED)
        return err_set(e, ERR_FAILED,
                       "the surface has no optimum: a term does not fall with "
                       "its variable");
    /* coarse grid over nine decades about D = X, then golden section */
    double mid = ln_xd / 2, step = 0.25, best = mid, best_f = INFINITY;
    for (int i = -42; i <= 42; i++) {
        double f = along(s, mid + step * i, ln_xd);
        if (f < best_f) {
            best_f = f;
            best = mid + step * i;
        }
    }
    if (!isfinite(best_f) || fabs(best - mid) > 41.5 * step)
        return err_set(e, ERR_FAILED,
                       "the surface has no optimum at %g flops: it falls to "
                       "the end of the range of sizes",
                       flops);
    double lo = best - step, hi = best + step;
    const double golden = (sqrt(5) - 1) / 2;
    while (hi - lo > 1e-9) {
        double a = hi - golden * (hi - lo), b = lo + golden * (hi - lo);
        if (along(s, a, ln_xd) < along(s, b, ln_xd))
            hi = b;
        else
            lo = a;
    }
    *size = exp(0.5 * (lo + hi));
    *tokens = flops / factor / *size;
    *loss = surface_loss(s, *size, *tokens, NAN);
    return 0;
}
