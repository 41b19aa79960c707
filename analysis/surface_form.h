/* surface_form: the equations of surface.h, one table, and their internal
 * variables.
 *
 * A fit works in a frame: ln size and ln tokens less their means over the
 * data, so that a coefficient is the size of its term in the middle of the
 * data and hardly correlated with its exponent.  Internal variables q stand
 * in the order of the natural parameters p:
 *     ln E;  ln A - alpha x0;  ln B - beta d0;  alpha, beta, k;  ln R
 * and for farseer a1 e^(a x0), b1, a2 e^(b x0), b2, a3 e^(g x0), b3, a, b, g.
 */
#ifndef LOGLOG_ANALYSIS_SURFACE_FORM_H
#define LOGLOG_ANALYSIS_SURFACE_FORM_H

#include "analysis/jet.h"
#include "analysis/surface.h"

enum surface_role {
    ROLE_E, /* by its logarithm */
    ROLE_A,
    ROLE_B,
    ROLE_ALPHA, /* exponent of size */
    ROLE_BETA,  /* exponent of tokens */
    ROLE_BOTH,  /* exponent of both (tied) */
    ROLE_K,
    ROLE_R,    /* by its logarithm */
    ROLE_FREE, /* of farseer */
    ROLE_POWER /* of farseer: an exponent of size, of either sign */
};

struct form_info {
    const char *name;
    int n;
    const char *param[SURFACE_MAX];
    enum surface_role role[SURFACE_MAX];
    /* The kernel's variable of e, a, b, alpha, beta; -1: not there; map[1] is
     * -1 where there is no kernel. */
    int map[5];
};
extern const struct form_info form_table[SURFACE_FORMS];

/* The place of a role among the parameters, or -1. */
int form_find(enum surface_form f, enum surface_role r);

struct frame {
    double x0, d0; /* means of ln size, ln tokens */
};

void form_to_internal(double *q, const struct surface *s,
                      const struct frame *fr);
void form_from_internal(struct surface *s, const double *q,
                        const struct frame *fr);
/* d(unframed internal)/d(framed internal): how a covariance moves from a
 * fit's frame to surface_internal().  J is (n,n) row-major. */
void form_unframe(double *J, enum surface_form f, const double *q,
                  const struct frame *fr);

/* ln L at x, d in the frame; u is ln(unique tokens) in the frame of d. */
void form_jet(struct jet *m, const struct jet_space *s, enum surface_form f,
              const double *q, const struct frame *fr, double x, double d,
              double u);

/* ln of the effective tokens of Muennighoff et al.; and (not NULL) its first
 * two derivatives by ln R. */
double form_effective(double ln_d, double ln_u, double ln_R, double *d1,
                      double *d2);

#endif
