#!/usr/bin/env python3
"""The observation of Porian et al. (arXiv 2406.19146), written again from their
description and analysis.py (formll/resolving-scaling-law-discrepancies) with
nothing but Python's own library, for tests/unit/analysis/test_isoflop_noised.c:
1000 times a normal of SD 0.005 on every loss, Akima's interpolation of ln loss
over ln N, the lowest of 25 (n - 1) values, ends left out; the median, their SD
with a floor of 0.33 * 25 fine steps over the share inside; 1/SD^2 regression of
ln N on ln C.  The normals are those of base/rng.h (Philox4x32-10, Box-Muller).

    python3 tests/golden/porian_noised.py"""
import math
from statistics import median

RNG_BOOT, SEED = 3, 1
M32 = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for r in range(10):
        if r:
            k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & M32,
             (p0 >> 32) ^ c[3] ^ k[1], p0 & M32]
    return c


def normal(index):
    v = philox((index & M32, index >> 32, RNG_BOOT, 0), (SEED & M32, SEED >> 32))
    unit = [((v[1] << 32 | v[0]) >> 11) * 2.0**-53,
            ((v[3] << 32 | v[2]) >> 11) * 2.0**-53]
    return (math.sqrt(-2 * math.log(1 - unit[0])) *
            math.cos(6.283185307179586477 * unit[1]))


def akima(x, y):
    """scipy.interpolate.Akima1DInterpolator as a function."""
    n = len(x)
    m = [0, 0] + [(y[i + 1] - y[i]) / (x[i + 1] - x[i]) for i in range(n - 1)]
    m += [0, 0]
    m[1] = 2 * m[2] - m[3]
    m[0] = 2 * m[1] - m[2]
    m[-2] = 2 * m[-3] - m[-4]
    m[-1] = 2 * m[-2] - m[-3]
    dm = [abs(m[i + 1] - m[i]) for i in range(len(m) - 1)]
    f1, f2 = dm[2:], dm[:-2]
    top = max(a + b for a, b in zip(f1, f2))
    t = [(a * m[i + 1] + b * m[i + 2]) / (a + b) if a + b > 1e-9 * top
         else (m[i + 3] + m[i]) / 2 for i, (a, b) in enumerate(zip(f1, f2))]

    def at(v):
        i = 0
        while i < n - 2 and v > x[i + 1]:
            i += 1
        h = x[i + 1] - x[i]
        s = (v - x[i]) / h
        return ((1 + 2 * s) * (1 - s)**2 * y[i] + s * (1 - s)**2 * h * t[i] +
                s * s * (3 - 2 * s) * y[i + 1] + s * s * (s - 1) * h * t[i + 1])
    return at


def observe(number, sizes, losses, curves=1000):
    x = [math.log(n) for n in sizes]
    steps = (len(x) - 1) * 25 - 1
    grid = [x[0] + (x[-1] - x[0]) * k / steps for k in range(steps + 1)]
    inside = []
    for k in range(curves):
        y = [math.log(l + 0.005 * normal((number << 40) | (k * len(x) + i)))
             for i, l in enumerate(losses)]
        at = akima(x, y)
        values = [at(g) for g in grid]
        low = values.index(min(values))
        if 0 < low < steps:
            inside.append(grid[low])
    if len(inside) < curves // 2:
        return None
    mean = sum(inside) / len(inside)
    sd = math.sqrt(sum((v - mean)**2 for v in inside) / len(inside))
    sd = max(sd, 0.33 * 25 * (grid[1] - grid[0])) * curves / len(inside)
    return median(inside), sd


def study():
    """Five budgets x nine sizes; the fourth is uneven, of the fifth the sizes
    are all too large."""
    for b in range(5):
        flops = 1e18 * 4**b
        best = 0.3 * flops**0.45
        yield flops, [(n, 1.8 + 400 / n**0.34 + 1000 / (flops / 6 / n)**0.32 +
                       (0.004 * (i % 2) if b == 3 else 0))
                      for i, n in enumerate(best * 1.5**(k - 4 + (9 if b == 4
                                                                  else 0.3 * b))
                                            for k in range(9))]


def main():
    rows = []
    for b, (flops, runs) in enumerate(study()):
        o = observe(b, [n for n, _ in runs], [l for _, l in runs])
        if o is None:
            print("    {%.17g, 0, 0}," % flops)
            continue
        print("    {%.17g, %.15g, %.15g}," % (flops, math.exp(o[0]), o[1]))
        rows.append((math.log(flops), o[0], o[1]**-2))
    w = sum(r[2] for r in rows)
    mx = sum(r[0] * r[2] for r in rows) / w
    my = sum(r[1] * r[2] for r in rows) / w
    slope = (sum(r[2] * (r[0] - mx) * (r[1] - my) for r in rows) /
             sum(r[2] * (r[0] - mx)**2 for r in rows))
    print("exponent %.15g" % slope)


main()
