/* pairs: the three products of a linear layer for a CPU that multiplies pairs
 * of bf16 numbers (AVX512-BF16): acc += a.low b.low + a.high b.high in fp32, 32
 * bits an operand, twice the flops of a multiply-add.
 *
 * It is the micro-kernel of gemm.h, which moves 32 bits and knows nothing of
 * what is in them but for vfma_to, on operands of half as many steps.  A pair
 * is two neighbours of what a product sums over:
 *   forward  y = x W^T    columns 2s, 2s + 1 of x and of W
 *   dX       dx = dy W    columns of dy, rows of W
 *   dW       dw += dy^T x rows (tokens) of dy and of x
 * An odd one out is paired with zero.  x, dy and their blocks are rounded and
 * paired once a call, W when it changes; sums, y, dx and dw are fp32.
 *
 * Sums of a pair are added in the order of the instruction, so the bits are
 * not those of other targets; and parts of dW must begin at even tokens to add
 * up to the same bits as the whole. */
#ifndef LOGLOG_TRAINER_CPU_PAIRS_H
#define LOGLOG_TRAINER_CPU_PAIRS_H

#define SIMD_PAIRS 1
#ifndef PAIRS_API /* how the functions are seen: a test has its own */
#define PAIRS_API static
#endif
#include "trainer/cpu/bf16.h"
#include "trainer/cpu/blocks.h"

static int64_t half(int64_t n)
{
    return (n + 1) / 2;
}

#if VW == 16
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif VW == 8
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD 1, 3, 5, 7, 9, 11, 13, 15
#else
#define EVEN 0, 2, 4, 6
#define ODD 1, 3, 5, 7
#endif

/* Two rounded vecs as the low and the high halves of one. */
INLINE vec paired(vec low, vec high)
{
    return (vec)((vecu)vbf16(low) >> 16 | (vecu)vbf16(high));
}

/* to[rows][half(cols)] = neighbours in a row of x[rows][cols]. */
static void pair_columns(float *to, const float *x, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++, x += cols, to += half(cols)) {
        int64_t c = 0;

        for (; c + 2 * VW <= cols; c += 2 * VW) {
            vec a = vload(x + c), b = vload(x + c + VW);

            vstore(to + c / 2, paired(__builtin_shufflevector(a, b, EVEN),
                                      __builtin_shufflevector(a, b, ODD)));
        }
        for (; c < cols; c += 2) {
            uint32_t high = c + 1 < cols ? bf16_bits(x[c + 1]) : 0;
            uint32_t pair = high << 16 | bf16_bits(x[c]);

            memcpy(to + c / 2, &pair, sizeof pair);
        }
    }
}

/* to[half(rows)][cols] = neighbours in a column. */
static void pair_rows(float *to, const float *x, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r += 2, x += 2 * cols, to += cols)
        for (int64_t c = 0; c < cols; c += VW) {
            int64_t n = cols - c;
            vec low = vload_n(x + c, n);
            vec high = r + 1 < rows ? vload_n(x + cols + c, n) : vset(0);

            vstore_n(to + c, paired(low, high), n);
        }
}

/* The panels of W^T, those of W, and W in pairs, which they are cut from. */
PAIRS_API size_t pairs_pack_bytes(int64_t n, int64_t k)
{
    int64_t wt = padded(n) * half(k), w = padded(k) * half(n);
    int64_t cut = n * half(k), cut2 = half(n) * k;

    return (size_t)(wt + w + (cut > cut2 ? cut : cut2)) * sizeof(float);
}

PAIRS_API void pairs_pack(struct linear *l)
{
    int64_t n = l->n, k = l->k, kp = half(k), np = half(n);
    float *wt = l->pack, *w = wt + padded(n) * kp, *cut = w + padded(k) * np;

    pair_columns(cut, l->w, n, k);
    for (int64_t j = 0, width; j < n; j += width) {
        width = panel_width(n - j);
        to_lanes(wt + j * kp, width, width, cut + j * kp, kp,
                 least(n - j, width), kp);
    }
    pair_rows(cut, l->w, n, k);
    for (int64_t j = 0, width; j < k; j += width) {
        width = panel_width(k - j);
        copy_panel(w + j * np, width, cut + j, k, np, least(k - j, width));
    }
}

/* Floats of scratch that the products need. */
PAIRS_API size_t pairs_scratch_bytes(const struct backend_shape *s)
{
    int64_t widest = s->max_n > s->max_k ? s->max_n : s->max_k;
    int64_t dw = dw_scratch(s->max_k) + half(KB) * (s->max_n + s->max_k);
    int64_t x = s->rows * half(widest);

    return (size_t)(dw > x ? dw : x) * sizeof(float);
}

PAIRS_API void pairs_linear(float *y, const float *x, const float *res,
                            const struct linear *l, int64_t m, void *scratch)
{
    const struct packed g = {y, res, scratch, l->pack, m, l->n, half(l->k)};

    pair_columns(scratch, x, m, l->k);
    gemm_packed(&g);
}

PAIRS_API void pairs_linear_dx(float *dx, const float *dy,
                               const struct linear *l, int64_t m, void *scratch)
{
    const float *w = (const float *)l->pack + padded(l->n) * half(l->k);
    const struct packed g = {dx, NULL, scratch, w, m, l->k, half(l->n)};

    pair_columns(scratch, dy, m, l->n);
    gemm_packed(&g);
}

PAIRS_API void pairs_linear_dw(float *dw, const float *dy, const float *x,
                               const struct linear *l, int64_t m, int add,
                               void *scratch)
{
    float *dyp = (float *)scratch + dw_scratch(l->k);
    float *xp = dyp + half(KB) * l->n;

    for (int64_t t = 0; t < m; t += KB) {
        int64_t steps = least(m - t, KB);

        pair_rows(dyp, dy + t * l->n, steps, l->n);
        pair_rows(xp, x + t * l->k, steps, l->k);
        dw_block(dw, dyp, xp, l, half(steps), add || t, scratch);
    }
}

#endif
