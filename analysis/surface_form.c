/* The forms of the loss surface. */
#include "analysis/surface_form.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* clang-format off */
const struct form_info form_table[SURFACE_FORMS] = {
    [SURFACE_CHINCHILLA] = {"chinchilla", 5,
        {"E", "A", "B", "alpha", "beta"},
        {ROLE_E, ROLE_A, ROLE_B, ROLE_ALPHA, ROLE_BETA}, {0, 1, 2, 3, 4}},
    [SURFACE_TIED] = {"tied", 4,
        {"E", "A", "B", "alpha"},
        {ROLE_E, ROLE_A, ROLE_B, ROLE_BOTH}, {0, 1, 2, 3, 3}},
    [SURFACE_POWER] = {"power", 4,
        {"A", "B", "alpha", "beta"},
        {ROLE_A, ROLE_B, ROLE_ALPHA, ROLE_BETA}, {-1, 0, 1, 2, 3}},
    [SURFACE_SKALING] = {"skaling", 6,
        {"E", "A", "B", "alpha", "beta", "k"},
        {ROLE_E, ROLE_A, ROLE_B, ROLE_ALPHA, ROLE_BETA, ROLE_K},
        {-1, -1, -1, -1, -1}},
    [SURFACE_FARSEER] = {"farseer", 9,
        {"a1", "b1", "a2", "b2", "a3", "b3", "a", "b", "g"},
        {ROLE_FREE, ROLE_FREE, ROLE_FREE, ROLE_FREE, ROLE_FREE, ROLE_FREE,
         ROLE_POWER, ROLE_POWER, ROLE_POWER}, {-1, -1, -1, -1, -1}},
    [SURFACE_REPEATED] = {"repeated", 6,
        {"E", "A", "B", "alpha", "beta", "R"},
        {ROLE_E, ROLE_A, ROLE_B, ROLE_ALPHA, ROLE_BETA, ROLE_R},
        {-1, -1, -1, -1, -1}},
};
/* clang-format on */

int form_find(enum surface_form f, enum surface_role r)
{
    for (int i = 0; i < form_table[f].n; i++)
        if (form_table[f].role[i] == r)
            return i;
    return -1;
}

/* The exponent that belongs to a coefficient. */
static int exponent_of(enum surface_form f, enum surface_role coef)
{
    int i = form_find(f, coef == ROLE_A ? ROLE_ALPHA : ROLE_BETA);

    return i >= 0 ? i : form_find(f, ROLE_BOTH);
}

/* Farseer's three coefficients of powers of X, and their exponents. */
static const struct {
    int coef, power;
} farseer_pairs[] = {{0, 6}, {2, 7}, {4, 8}};

void form_to_internal(double *q, const struct surface *s,
                      const struct frame *fr)
{
    const struct form_info *t = &form_table[s->form];

    for (int i = 0; i < t->n; i++) {
        enum surface_role r = t->role[i];
        q[i] = s->p[i];
        if (r == ROLE_E || r == ROLE_A || r == ROLE_B || r == ROLE_R)
            q[i] = log(fmax(s->p[i], 1e-300));
        if (r == ROLE_A)
            q[i] -= s->p[exponent_of(s->form, r)] * fr->x0;
        if (r == ROLE_B)
            q[i] -= s->p[exponent_of(s->form, r)] * fr->d0;
    }
    for (size_t k = 0; s->form == SURFACE_FARSEER && k < 3; k++)
        q[farseer_pairs[k].coef] *= exp(s->p[farseer_pairs[k].power] * fr->x0);
}

void form_from_internal(struct surface *s, const double *q,
                        const struct frame *fr)
{
    const struct form_info *t = &form_table[s->form];

    for (int i = 0; i < t->n; i++) {
        enum surface_role r = t->role[i];
        double v = q[i];
        if (r == ROLE_A)
            v += q[exponent_of(s->form, r)] * fr->x0;
        if (r == ROLE_B)
            v += q[exponent_of(s->form, r)] * fr->d0;
        if (r == ROLE_E || r == ROLE_A || r == ROLE_B || r == ROLE_R)
            v = exp(v);
        s->p[i] = v;
    }
    for (size_t k = 0; s->form == SURFACE_FARSEER && k < 3; k++)
        s->p[farseer_pairs[k].coef] *= exp(-q[farseer_pairs[k].power] * fr->x0);
}

void form_unframe(double *J, enum surface_form f, const double *q,
                  const struct frame *fr)
{
    const struct form_info *t = &form_table[f];

    memset(J, 0, (size_t)(t->n * t->n) * sizeof(*J));
    for (int i = 0; i < t->n; i++) {
        J[i * t->n + i] = 1;
        if (t->role[i] == ROLE_A)
            J[i * t->n + exponent_of(f, ROLE_A)] = fr->x0;
        if (t->role[i] == ROLE_B)
            J[i * t->n + exponent_of(f, ROLE_B)] = fr->d0;
    }
    for (size_t k = 0; f == SURFACE_FARSEER && k < 3; k++) {
        int c = farseer_pairs[k].coef, p = farseer_pairs[k].power;
        double shrink = exp(-q[p] * fr->x0);
        J[c * t->n + c] = shrink;
        J[c * t->n + p] = -fr->x0 * q[c] * shrink;
    }
}

double form_effective(double ln_d, double ln_u, double ln_R, double *d1,
                      double *d2)
{
    /* D' = U (1 + R (1 - exp(-r/R))), r = D/U - 1 repeats */
    double r = exp(ln_d - ln_u) - 1, R = exp(ln_R);

    if (d1)
        *d1 = *d2 = 0;
    if (!(r > 0)) /* less than one epoch: every token is new */
        return ln_d;
    double t = r / R, e = exp(-t), G = 1 - e, H = 1 + R * G;
    if (d1) {
        /* d(R G)/d ln R = R G - r e;  second: that - t r e */
        double first = R * G - r * e, second = first - t * r * e;
        *d1 = first / H;
        *d2 = second / H - *d1 * *d1;
    }
    return ln_u + log(H);
}

/* The place of (i, j) in a lower triangle. */
static int at(int i, int j)
{
    return i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i;
}

/* c x^p + s of Farseer: its variables, value and derivatives.  As jets these
 * have three variables of nine, and took twenty times as long. */
struct farseer_term {
    int var[3]; /* c, s, p */
    double v, g[3], cp, pp;
};

static void farseer_term(struct farseer_term *t, const double *q, int c, int s,
                         int p, double x)
{
    double e = exp(fmin(q[p] * x, 700));

    *t = (struct farseer_term){.var = {c, s, p},
                               .v = q[c] * e + q[s],
                               .g = {e, 1, q[c] * x * e},
                               .cp = x * e,
                               .pp = q[c] * x * x * e};
}

/* Add the second derivatives of w f(t), f' = 1 and f'' = f2. */
static void farseer_second(double *h, const struct farseer_term *t, double w,
                           double f2)
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j <= i; j++)
            h[at(t->var[i], t->var[j])] += w * f2 * t->g[i] * t->g[j];
    h[at(t->var[2], t->var[0])] += w * t->cp;
    h[at(t->var[2], t->var[2])] += w * t->pp;
}

/* ln(exp u + exp b), b = c - exp(a) ln D. */
static void farseer(struct jet *m, const struct jet_space *s, const double *q,
                    double x, double ln_d)
{
    struct farseer_term a, b, u;
    double d[SURFACE_MAX]; /* gradient of u - b */

    farseer_term(&a, q, 0, 1, 6, x);
    farseer_term(&b, q, 2, 3, 7, x);
    farseer_term(&u, q, 4, 5, 8, x);
    double fall = -ln_d * exp(fmin(a.v, 700)), vb = b.v + fall;
    double top = fmax(u.v, vb), eu = exp(u.v - top), eb = exp(vb - top);
    double pu = eu / (eu + eb), pb = eb / (eu + eb);

    m->v = top + log(eu + eb);
    for (int i = 0; i < 3; i++) {
        m->g[u.var[i]] = pu * u.g[i];
        m->g[b.var[i]] = pb * b.g[i];
        m->g[a.var[i]] = pb * fall * a.g[i];
        d[u.var[i]] = u.g[i];
        d[b.var[i]] = -b.g[i];
        d[a.var[i]] = -fall * a.g[i];
    }
    if (!s->hess)
        return;
    for (int i = 0, k = 0; i < SURFACE_MAX; i++) {
        double w = pu * pb * d[i];
        for (int j = 0; j <= i; j++, k++)
            m->h[k] = w * d[j];
    }
    farseer_second(m->h, &u, pu, 0);
    farseer_second(m->h, &b, pb, 0);
    farseer_second(m->h, &a, pb * fall, 1);
}

/* ln((A/X^alpha + B/D^beta)^k + E), in the order E, A, B, alpha, beta, k. */
static void skaling(struct jet *m, const struct jet_space *s, const double *q,
                    double x, double d)
{
    double va = q[1] - q[3] * x, vb = q[2] - q[4] * d, k = q[5];
    double top = fmax(va, vb), ea = exp(va - top), eb = exp(vb - top);
    double pa = ea / (ea + eb), pb = eb / (ea + eb);
    double sum = top + log(ea + eb), vs = k * sum;
    /* the sum's own gradient, and that of its logarithm times k */
    double g[6] = {0, pa, pb, -pa * x, -pb * d, 0};
    double z[6] = {0, 1, -1, -x, d, 0}; /* of va - vb */
    double f[6];

    top = fmax(vs, q[0]);
    ea = exp(vs - top);
    eb = exp(q[0] - top);
    double ps = ea / (ea + eb), pe = eb / (ea + eb);
    m->v = top + log(ea + eb);
    for (int i = 0; i < 6; i++)
        f[i] = k * g[i];
    f[5] = sum;
    for (int i = 0; i < 6; i++)
        m->g[i] = ps * f[i];
    m->g[0] = pe;
    if (!s->hess)
        return;
    f[0] = -1; /* gradient of vs - ln E */
    for (int i = 0, n = 0; i < 6; i++)
        for (int j = 0; j <= i; j++, n++)
            m->h[n] = ps * (pe * f[i] * f[j] + k * pa * pb * z[i] * z[j]);
    for (int j = 1; j < 5; j++)
        m->h[at(5, j)] += ps * g[j];
}

/* ln of coefficient / variable^exponent: q[c] - q[p] * v. */
static void term(struct jet *r, const struct jet_space *s, const double *q,
                 int c, int p, double v)
{
    jet_var(r, s, c, q[c]);
    r->v -= q[p] * v;
    r->g[p] -= v;
}

void form_jet(struct jet *m, const struct jet_space *s, enum surface_form f,
              const double *q, const struct frame *fr, double x, double d,
              double u)
{
    struct jet a, b, c, sum;

    if (f == SURFACE_FARSEER) {
        farseer(m, s, q, x, d + fr->d0);
        return;
    }
    if (f == SURFACE_SKALING) {
        skaling(m, s, q, x, d);
        return;
    }
    int ie = form_find(f, ROLE_E);
    int ia = form_find(f, ROLE_A), ib = form_find(f, ROLE_B);
    int al = exponent_of(f, ROLE_A), be = exponent_of(f, ROLE_B);
    term(&a, s, q, ia, al, x);
    if (f == SURFACE_REPEATED) {
        int ir = form_find(f, ROLE_R);
        double d1, d2, eff = form_effective(d, u, q[ir], &d1, &d2);
        struct jet R, e;
        jet_var(&R, s, ir, q[ir]);
        jet_apply(&e, s, &R, eff, d1, d2);
        jet_var(&c, s, be, q[be]);
        jet_mul(&R, s, &c, &e);
        jet_var(&b, s, ib, q[ib]);
        jet_add(&b, s, -1, &R);
    } else {
        term(&b, s, q, ib, be, d);
    }
    if (ie < 0) {
        jet_lse(m, s, &a, &b);
        return;
    }
    jet_lse(&sum, s, &a, &b);
    jet_var(&c, s, ie, q[ie]);
    jet_lse(m, s, &sum, &c);
}

int surface_n_params(enum surface_form f)
{
    return form_table[f].n;
}

const char *surface_param_name(enum surface_form f, int i)
{
    return form_table[f].param[i];
}

int surface_is_exponent(enum surface_form f, int i)
{
    enum surface_role r = form_table[f].role[i];

    return r == ROLE_ALPHA || r == ROLE_BETA || r == ROLE_BOTH ||
           r == ROLE_POWER;
}

void surface_internal(double *q, const struct surface *s)
{
    struct frame none = {0, 0};

    form_to_internal(q, s, &none);
}

double surface_loss(const struct surface *s, double size, double tokens,
                    double unique)
{
    struct frame none = {0, 0};
    struct jet_space space = {form_table[s->form].n, 0};
    struct jet m;
    double q[SURFACE_MAX];

    form_to_internal(q, s, &none);
    form_jet(&m, &space, s->form, q, &none, log(size), log(tokens),
             log(isnan(unique) ? tokens : unique));
    return exp(m.v);
}

const char *surface_form_name(enum surface_form f)
{
    return form_table[f].name;
}

int surface_form_parse(const char *name)
{
    for (int f = 0; f < SURFACE_FORMS; f++)
        if (strcmp(name, form_table[f].name) == 0)
            return f;
    return -1;
}
