/* check: numbers in tests, with a tolerance said at each place. */
#ifndef LOGLOG_TESTS_ANALYSIS_CHECK_H
#define LOGLOG_TESTS_ANALYSIS_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* |a - b| <= tol * max(|b|, tiny): relative; NaN never passes. */
static inline void check_near(double a, double b, double tol, const char *what,
                              const char *file, int line)
{
    if (fabs(a - b) <= tol * fabs(b) || a == b)
        return;
    print_error("%s = %.15g, expected %.15g (relative %.2g, allowed %.2g)\n",
                what, a, b, fabs(a - b) / fabs(b), tol);
    _fail(file, line);
}

/* |a - b| <= tol. */
static inline void check_within(double a, double b, double tol,
                                const char *what, const char *file, int line)
{
    if (fabs(a - b) <= tol)
        return;
    print_error("%s = %.15g, expected %.15g +- %.2g\n", what, a, b, tol);
    _fail(file, line);
}

static inline void check_between(double v, double lo, double hi,
                                 const char *what, const char *file, int line)
{
    if (v >= lo && v <= hi)
        return;
    print_error("%s = %.15g, expected %.15g .. %.15g\n", what, v, lo, hi);
    _fail(file, line);
}

#define near(a, b, tol) check_near(a, b, tol, #a, __FILE__, __LINE__)
#define within(a, b, tol) check_within(a, b, tol, #a, __FILE__, __LINE__)
#define between(v, lo, hi) check_between(v, lo, hi, #v, __FILE__, __LINE__)
/* A call that must succeed; prints the error when it does not. */
#define ok(call)                                                               \
    do {                                                                       \
        if (call) {                                                            \
            print_error("%s: %s\n", #call, e.text);                            \
            fail();                                                            \
        }                                                                      \
    } while (0)

#endif
