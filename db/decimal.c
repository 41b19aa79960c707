/* decimal: see decimal.h.
 *
 * v = m 2^e with a 53-bit m.  For 1e-4 <= |v| < 1e15 the 17 leading digits are
 * the whole part of v 10^k = m 5^k 2^(e+k), which fits 128 bits exactly.  A
 * shorter decimal reads back as v when it is nearer to v than half of the gap
 * between doubles; that too is a comparison of whole numbers.  Everything else
 * goes through printf. */
#include "db/decimal.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

size_t decimal_int(char *out, int64_t v)
{
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char digit[20];
    size_t n = 0, len = 0;

    do
        digit[n++] = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0)
        out[len++] = '-';
    while (n)
        out[len++] = digit[--n];
    return len;
}

static size_t by_printf(char *out, double v)
{
    char buf[DECIMAL_MAX];
    size_t n = 0;

    for (int digits = 15; digits <= 17; digits++) {
        n = (size_t)snprintf(buf, sizeof buf, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    memcpy(out, buf, n);
    return n;
}

/* The digits of a whole number of 17 digits with the point behind the first
 * `whole` of them (0 or less: zeros come first), trailing zeros cut. */
static size_t place_point(char *out, uint64_t digits17, int whole)
{
    char digit[20];
    size_t len = 0;
    int n = 17;

    for (int i = 16; i >= 0; i--) {
        digit[i] = (char)('0' + digits17 % 10);
        digits17 /= 10;
    }
    while (n > 1 && digit[n - 1] == '0')
        n--;
    if (whole <= 0) {
        out[len++] = '0';
        out[len++] = '.';
        for (int i = whole; i < 0; i++)
            out[len++] = '0';
    }
    for (int i = 0; i < n || i < whole; i++) {
        if (i == whole && whole > 0)
            out[len++] = '.';
        out[len++] = i < n ? digit[i] : '0';
    }
    return len;
}

/* i <= 27 */
static uint64_t power(uint64_t base, int i)
{
    uint64_t p = 1;

    for (; i > 0; i >>= 1, base *= base)
        if (i & 1)
            p *= base;
    return p;
}

/* Digits to place before the point of v. */
static int whole_digits(double v)
{
    static const double edge[] = {1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2,
                                  1e3,  1e4,  1e5,  1e6,  1e7, 1e8, 1e9,
                                  1e10, 1e11, 1e12, 1e13, 1e14};
    size_t lo = 0, hi = ARRAY_LEN(edge);

    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (v < edge[mid])
            hi = mid;
        else
            lo = mid;
    }
    return (int)lo - 3;
}

static size_t by_integers(char *out, double v)
{
    static const uint64_t unit[] = {100, 10, 1};
    int whole = whole_digits(v), k = 17 - whole, e;
    uint64_t m = (uint64_t)ldexp(frexp(v, &e), 53);
    uint64_t five = power(5, k), digits = 0, ones;
    int down = 53 - e - k; /* v 10^k = m 5^k / 2^down */
    u128 scaled = (u128)m * five, below;
    /* Half a gap is five / 2^(down + 1); at a power of two the gap below is
     * half as wide. */
    uint64_t gap = m == UINT64_C(1) << 52 ? five / 2 : five;

    if (down < 1)
        return by_printf(out, v);
    ones = (uint64_t)(scaled >> down);
    below = scaled & (((u128)1 << down) - 1);
    for (size_t i = 0; i < ARRAY_LEN(unit); i++) {
        u128 rest = ((u128)(ones % unit[i]) << down) + below;
        u128 step = (u128)unit[i] << down;
        uint64_t q = ones / unit[i];
        /* to the nearest, ties to even, as printf does */
        if (2 * rest > step || (2 * rest == step && (q & 1))) {
            q++;
            rest = step - rest;
        }
        digits = q * unit[i];
        if (2 * rest < gap)
            break;
    }
    if (digits >= power(10, 17)) {
        digits /= 10;
        whole++;
    }
    return place_point(out, digits, whole);
}

size_t decimal_real(char *out, double v)
{
    size_t sign = 0;

    BUG_ON(!isfinite(v));
    if (v < 0) {
        out[sign++] = '-';
        v = -v;
    }
    if (v < 1e15 && v == (double)(int64_t)v && (v > 0 || !signbit(v)))
        return sign + decimal_int(out + sign, (int64_t)v);
    if (v >= 1e-4 && v < 1e15)
        return sign + by_integers(out + sign, v);
    return sign + by_printf(out + sign, v);
}
