/* decimal: see decimal.h.
 *
 * v = m 2^e with a 53-bit m.  For 1e-4 <= |v| < 1e15 the 17 leading digits are
 * the whole part of v 10^k = m 5^k 2^(e+k), which fits 128 bits exactly.  A
 * shorter decimal reads back as v when it is nearer to v than half of the gap
 * between doubles; that too is a comparison of whole numbers.  So is all of it
 * for 2^53 <= |v| < 1e36, where v is a whole number.  The rest goes through
 * printf. */
#include "db/decimal.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

static const char pairs[] = "00010203040506070809"
                            "10111213141516171819"
                            "20212223242526272829"
                            "30313233343536373839"
                            "40414243444546474849"
                            "50515253545556575859"
                            "60616263646566676869"
                            "70717273747576777879"
                            "80818283848586878889"
                            "90919293949596979899";

/* The last `n` digits of u, zeros in front; returns what is left of u. */
static uint64_t put_digits(char *out, uint64_t u, int n)
{
    while (n >= 2) {
        n -= 2;
        memcpy(out + n, pairs + 2 * (u % 100), 2);
        u /= 100;
    }
    if (n) {
        out[0] = (char)('0' + u % 10);
        u /= 10;
    }
    return u;
}

size_t decimal_int(char *out, int64_t v)
{
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char digit[20];
    size_t len = 0;
    int n = 20;

    while (u >= 100) {
        n -= 2;
        u = put_digits(digit + n, u, 2);
    }
    n -= u >= 10 ? 2 : 1;
    put_digits(digit + n, u, u >= 10 ? 2 : 1);
    if (v < 0)
        out[len++] = '-';
    memcpy(out + len, digit + n, (size_t)(20 - n));
    return len + (size_t)(20 - n);
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
    char digit[17];
    size_t len = 0;
    int n = 17;

    put_digits(digit, digits17, 17);
    while (n > 1 && digit[n - 1] == '0')
        n--;
    if (whole <= 0) {
        memcpy(out, "0.000", 5);
        len = (size_t)(2 - whole);
        memcpy(out + len, digit, (size_t)n);
        return len + (size_t)n;
    }
    memcpy(out, digit, (size_t)whole); /* their zeros are in the 17 */
    if (n <= whole)
        return (size_t)whole;
    out[whole] = '.';
    memcpy(out + whole + 1, digit + whole, (size_t)(n - whole));
    return (size_t)(n + 1);
}

/* d.ddde+XX, trailing zeros cut, of a whole number of 17 digits. */
static size_t place_exponent(char *out, uint64_t digits17, int exponent)
{
    size_t len = place_point(out, digits17, 1);

    memcpy(out + len, "e+", 2);
    put_digits(out + len + 2, (uint64_t)exponent, 2); /* below 100 */
    return len + 4;
}

/* 10^i for i < 20, 5^i for i < 28 */
static const uint64_t ten[] = {1,
                               10,
                               100,
                               1000,
                               10000,
                               100000,
                               1000000,
                               10000000,
                               100000000,
                               1000000000,
                               10000000000,
                               100000000000,
                               1000000000000,
                               10000000000000,
                               100000000000000,
                               1000000000000000,
                               10000000000000000,
                               100000000000000000,
                               1000000000000000000,
                               10000000000000000000u};
static const uint64_t five_to[] = {1,
                                   5,
                                   25,
                                   125,
                                   625,
                                   3125,
                                   15625,
                                   78125,
                                   390625,
                                   1953125,
                                   9765625,
                                   48828125,
                                   244140625,
                                   1220703125,
                                   6103515625,
                                   30517578125,
                                   152587890625,
                                   762939453125,
                                   3814697265625,
                                   19073486328125,
                                   95367431640625,
                                   476837158203125,
                                   2384185791015625,
                                   11920928955078125,
                                   59604644775390625,
                                   298023223876953125,
                                   1490116119384765625,
                                   7450580596923828125};

/* v = m 2^e with 2^52 <= m < 2^53; v is normal and positive. */
static uint64_t split(int *e, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    *e = (int)(bits >> 52) - 1075;
    return (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
}

/* The fewest of the 17 digits of (ones + below / one) that read back as it; *n
 * says how many.  They do when they are nearer than half of the gap between
 * doubles, which is gap / one here; at just that distance when m is even. Where
 * m is a power of two the gap below is half as wide.  below < one. */
static uint64_t shortest(int *n, uint64_t ones, u128 below, u128 one, u128 gap,
                         uint64_t m)
{
    for (*n = 15;; ++*n) {
        uint64_t unit = ten[17 - *n], q = ones / unit;
        u128 rest = (u128)(ones - q * unit) * one + below, step = unit * one;
        /* to the nearest, ties to even, as printf does */
        int up = 2 * rest > step || (2 * rest == step && (q & 1));
        u128 near = !up && m == UINT64_C(1) << 52 ? gap / 2 : gap;

        if (up)
            rest = step - rest;
        if (*n == 17 || 2 * rest < near || (2 * rest == near && !(m & 1)))
            return (q + (uint64_t)up) * unit;
    }
}

/* Digits to place before the point of v, 1e-4 <= v < 1e15. */
static int whole_digits(double v)
{
    static const double edge[] = {1e-4, 1e-3, 1e-2, 1e-1, 1e0,  1e1,     1e2,
                                  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,     1e9,
                                  1e10, 1e11, 1e12, 1e13, 1e14, INFINITY};
    int e, i;

    split(&e, v);
    i = ((e + 52) * 1233 >> 12) + 4; /* log10(2) is about 1233 / 4096 */
    i = i < 0 ? 0 : i;
    return (v < edge[i] ? i - 1 : v >= edge[i + 1] ? i + 1 : i) - 3;
}

/* 1e-4 <= v < 1e15: the 17 digits are m 5^k / 2^down, the gap is 5^k of that.
 */
static size_t by_integers(char *out, double v)
{
    int whole = whole_digits(v), k = 17 - whole, e, n, down;
    uint64_t m = split(&e, v), five = five_to[k], digits;
    u128 scaled = (u128)m * five;

    down = -e - k;
    if (down < 1)
        return by_printf(out, v);
    digits =
        shortest(&n, (uint64_t)(scaled >> down),
                 scaled & (((u128)1 << down) - 1), (u128)1 << down, five, m);
    if (digits >= ten[17]) {
        digits /= 10;
        whole++;
    }
    return place_point(out, digits, whole);
}

/* i <= 38 */
static u128 power_of_ten(int i)
{
    return i < 20 ? ten[i] : (u128)ten[19] * ten[i - 19];
}

/* 2^53 <= v < 1e36: v itself is a whole number of 128 bits. */
static size_t by_large(char *out, double v)
{
    int e, n, k;
    uint64_t m = split(&e, v), digits;
    u128 whole = (u128)m << e, one, gap = (u128)1 << e;

    k = ((e + 52) * 1233 >> 12) - 16; /* log10(2) is about 1233 / 4096 */
    k = k < 0 ? 0 : k;
    one = power_of_ten(k);
    if (whole >= one * ten[17]) {
        one *= 10;
        k++;
    }
    if (whole < ten[16]) { /* 16 digits: count them as 17 */
        whole *= 10;
        gap *= 10;
        k--;
    }
    digits = shortest(&n, (uint64_t)(whole / one), whole % one, one, gap, m);
    if (digits >= ten[17]) {
        digits /= 10;
        k++;
    }
    return k + 16 < n ? place_point(out, digits, k + 17)
                      : place_exponent(out, digits, k + 16);
}

/* A number of at most 7 decimals and 15 digits, as most in a database are: if r
 * / 1e7 is v, rounded as division is, then these digits read back as v.  0: it
 * is none. */
static size_t by_decimals(char *out, double v)
{
    int64_t r = (int64_t)(v * 1e7 + 0.5);
    size_t len;
    int n = 7;

    if ((double)r / 1e7 != v)
        return 0;
    len = decimal_int(out, r / 10000000);
    out[len] = '.';
    put_digits(out + len + 1, (uint64_t)r % 10000000, 7);
    while (out[len + (size_t)n] == '0')
        n--;
    return len + 1 + (size_t)n;
}

size_t decimal_real(char *out, double v)
{
    size_t sign = 0, n;

    BUG_ON(!isfinite(v));
    if (v < 0) {
        out[sign++] = '-';
        v = -v;
    }
    if (v < 1e15 && v == (double)(int64_t)v && (v > 0 || !signbit(v)))
        return sign + decimal_int(out + sign, (int64_t)v);
    if (v >= 1e-4 && v < 1e15) {
        n = v < 9e7 ? by_decimals(out + sign, v) : 0;
        return sign + (n ? n : by_integers(out + sign, v));
    }
    if (v >= 0x1p53 && v < 1e36)
        return sign + by_large(out + sign, v);
    return sign + by_printf(out + sign, v);
}
