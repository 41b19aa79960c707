/* attention: causal softmax attention, a block of LANES queries at a time.
 *
 * Scores are made transposed, S^T[key][query], lanes being queries: then the
 * softmax over keys needs no sums across lanes and the causal mask is one
 * compare a row on the diagonal block only.  Every product is the micro-kernel
 * of gemm.h with both operands where they already are; only the queries and
 * dO are transposed, once a block:
 *
 *   forward
 *     S^T[j][i] = K[j][c] . Q^T[c][i]            by rows, k = head_dim
 *     e[j][i]   = 2^(S^T - max_i), l_i = sum of e over j
 *     O[i][c]   = e[j][i] . V[j][c] / l_i        by columns, k = keys
 *   backward, a block of keys at a time, e again from Q, K and the kept max_i
 *     S^T - max                                  as before, from -max_i
 *     dP^T[j][i] - D_i = V[j][c] . dO^T[c][i]    by rows, from -D_i
 *     dS^T      = e (dP^T - D_i),  D_i = sum_c dO O
 *     dV[j][c] += e[j][i] . dO[i][c]             by rows, k = LANES
 *     dK[j][c] += dS^T[j][i] . Q[i][c]           by rows, k = LANES
 *     dQ[i][c] += dS^T[j][i] . K[j][c]           by columns, k = keys
 *
 * Scores are in units of log 2: Q^T carries log2(e) / sqrt(head_dim).  The
 * weights are never divided by l: O is, and dO on the way back.  RoPE is
 * applied where q and k are copied out of qkv, and undone where their
 * gradients are copied into dqkv.  Nothing grows with seq_len squared but the
 * time. */
#ifndef LOGLOG_TRAINER_CPU_ATTENTION_H
#define LOGLOG_TRAINER_CPU_ATTENTION_H

#include "trainer/cpu/gemm.h"

#include <math.h>

#define LANES (2 * VW)  /* queries at a time */
#define KEY_FLOATS 3072 /* a block of keys on the way back: see block_keys */
#define MASKED (-1e30f)

/* Scratch of one head, all from the caller's block.  hp is head_dim rounded
 * up to whole vecs, tp is seq_len rounded up to LANES. */
struct attend {
    int64_t t, hd, hp, tp, ld, keys;
    const struct attention *a;
    float *k, *v;      /* [tp][hp] rotated keys; values */
    float *dk, *dv;    /* [tp][hp] */
    float *q, *qt;     /* [LANES][hp] rotated; [hd][LANES] and scaled */
    float *dout, *dot; /* the same of dO / l */
    float *ot;         /* [hd][LANES] */
    float *dq;         /* [LANES][hp] */
    float *s;          /* [tp][LANES] scores; on the way back [keys][LANES] */
    float *ds;         /* [keys][LANES] */
    float *minus_max, *minus_d; /* [LANES] */
};

/* Keys in a block on the way back: K, V, dK, dV, S and dS of it stay in the
 * first-level cache together; a multiple of the rows of a tile. */
static int64_t block_keys(int64_t hp)
{
    int64_t n = KEY_FLOATS / hp / 12 * 12;

    return n < 24 ? 24 : n > 96 ? 96 : n;
}

static size_t attend_carve(struct attend *w, const struct attention *a,
                           float *at)
{
    int64_t hd = a->head_dim, hp = padded(hd), keys = block_keys(hp);
    int64_t tp = (a->seq_len + LANES - 1) / LANES * LANES;
    int64_t n_s = tp > keys ? tp : keys;
    /* clang-format off */
    const struct { float **p; int64_t n; } piece[] = {
        {&w->k, tp * hp}, {&w->v, tp * hp}, {&w->dk, tp * hp},
        {&w->dv, tp * hp}, {&w->q, LANES * hp}, {&w->qt, hd * LANES},
        {&w->dout, LANES * hp}, {&w->dot, hd * LANES}, {&w->ot, hd * LANES},
        {&w->dq, LANES * hp}, {&w->s, n_s * LANES}, {&w->ds, keys * LANES},
        {&w->minus_max, LANES}, {&w->minus_d, LANES}};
    /* clang-format on */
    size_t used = 0;

    w->t = a->seq_len;
    w->hd = hd;
    w->hp = hp;
    w->tp = tp;
    w->ld = (a->n_head + 2 * a->n_kv_head) * hd;
    w->keys = keys;
    w->a = a;
    for (size_t i = 0; i < sizeof piece / sizeof *piece; i++) {
        *piece[i].p = at ? at + used : NULL;
        used += (size_t)((piece[i].n + 15) / 16 * 16);
    }
    return used * sizeof(float);
}

/* RoPE of `rows` rows: the angle times dir (1 or -1), the length times scale;
 * cos_t, sin_t are those of the first row. */
struct turn {
    float *to;
    const float *x, *cos_t, *sin_t;
    int64_t ldt, ld, rows;
    float dir, scale;
};

/* `whole`: half is known to be whole vecs. */
INLINE void turn_rows(struct turn t, int64_t half, const int whole)
{
    const vec scale = vset(t.scale), sin_scale = vset(t.scale * t.dir);

    for (int64_t r = 0; r < t.rows; r++) {
        for (int64_t i = 0; i < half; i += VW) {
            int64_t n = half - i;
            vec c = vget(t.cos_t + i, n, whole) * scale;
            vec s = vget(t.sin_t + i, n, whole) * sin_scale;
            vec lo = vget(t.x + i, n, whole);
            vec hi = vget(t.x + half + i, n, whole);

            vput(t.to + i, vfma(lo, c, vset(0) - hi * s), n, whole);
            vput(t.to + half + i, vfma(hi, c, lo * s), n, whole);
        }
        t.to += t.ldt;
        t.x += t.ld;
        t.cos_t += half;
        t.sin_t += half;
    }
}

/* to[rows][ldt] = rows of x, positions t0.., turned by dir (1 or -1) times the
 * angle of RoPE and scaled. */
static void rotate(float *to, int64_t ldt, const float *x, int64_t ld,
                   const struct attend *w, int64_t t0, int64_t rows, float dir,
                   float scale)
{
    int64_t half = w->hd / 2;
    const struct turn t = {.to = to,
                           .x = x,
                           .cos_t = w->a->cos + t0 * half,
                           .sin_t = w->a->sin + t0 * half,
                           .ldt = ldt,
                           .ld = ld,
                           .rows = rows,
                           .dir = dir,
                           .scale = scale};

    if (half % VW == 0)
        turn_rows(t, half, 1);
    else if (half == VW / 2)
        turn_rows(t, VW / 2, 0);
    else
        turn_rows(t, half, 0);
}

/* to[rows][hp] = rows of x times f[row] (NULL: 1), zeros beyond hd. */
static void copy_rows(float *to, const float *x, int64_t ld,
                      const struct attend *w, int64_t rows, const float *f)
{
    for (int64_t r = 0; r < rows; r++, to += w->hp, x += ld) {
        vec scale = vset(f ? f[r] : 1);
        int64_t c = 0;

        for (; c + VW <= w->hd; c += VW)
            vstore(to + c, vload(x + c) * scale);
        if (c < w->hd)
            vstore(to + c, vload_part(x + c, w->hd - c) * scale);
    }
}

/* Zeros beyond hd, so that no product reads what was never written. */
static void clear_beyond(float *x, const struct attend *w, int64_t rows)
{
    for (int64_t r = 0; r < rows && w->hp > w->hd; r++)
        memset(x + r * w->hp + w->hd, 0, (size_t)(w->hp - w->hd) * sizeof *x);
}

/* Keys and values of head g. */
static void load_keys(struct attend *w, const float *qkv, int64_t g)
{
    const float *k = qkv + (w->a->n_head + g) * w->hd;

    rotate(w->k, w->hp, k, w->ld, w, 0, w->t, 1, 1);
    clear_beyond(w->k, w, w->t);
    copy_rows(w->v, k + w->a->n_kv_head * w->hd, w->ld, w, w->t, NULL);
}

/* Queries t0.. of head h, rotated: as rows, and as lanes and scaled. */
static void load_queries(struct attend *w, const float *qkv, int64_t h,
                         int64_t t0)
{
    int64_t rows = least(w->t - t0, LANES);
    vec scale = vset((float)((double)LOG2E / sqrt((double)w->hd)));

    rotate(w->q, w->hp, qkv + t0 * w->ld + h * w->hd, w->ld, w, t0, rows, 1, 1);
    clear_beyond(w->q, w, rows);
    to_lanes(w->qt, LANES, LANES, w->q, w->hp, rows, w->hd);
    for (int64_t i = 0; i < w->hd * LANES; i += VW)
        vstore(w->qt + i, vload(w->qt + i) * scale);
}

/* S^T of keys j0..j0+n against the queries t0.., plus start[LANES] unless
 * that is NULL: s[n][LANES]; what lies above the diagonal is masked. */
static void scores(struct attend *w, const float *start, int64_t t0, int64_t j0,
                   int64_t n)
{
    const struct product p = {.c = w->s,
                              .init = start,
                              .ldc = LANES,
                              .a = w->k + j0 * w->hp,
                              .lda = w->hp,
                              .b = w->qt,
                              .ldb = LANES,
                              .m = n,
                              .k = w->hd};

    rows2(&p);
    for (int64_t j = j0 > t0 ? j0 : t0; j < j0 + n; j++)
        for (int64_t r = 0; r < LANES; r += VW) {
            float *s = w->s + (j - j0) * LANES + r;

            vstore(s, vselect(viota() < vseti((int32_t)(j - t0 - r)),
                              vset(MASKED), vload(s)));
        }
}

/* The largest of n rows of s[n][LANES], lane by lane. */
INLINE void row_maxima(vec max[2], const float *s, int64_t n)
{
    vec more[2];
    int64_t j;

    UNROLL
    for (int v = 0; v < 2; v++)
        max[v] = more[v] = vload(s + v * VW);
    for (j = 0; j + 2 <= n; j += 2, s += 2 * LANES)
        UNROLL
    for (int v = 0; v < 2; v++) {
        max[v] = vmax(max[v], vload(s + v * VW));
        more[v] = vmax(more[v], vload(s + LANES + v * VW));
    }
    UNROLL
    for (int v = 0; v < 2; v++) {
        max[v] = vmax(max[v], more[v]);
        if (j < n)
            max[v] = vmax(max[v], vload(s + v * VW));
    }
}

/* stat[0][t] = the largest score, stat[1][t] = 1 / sum of 2^(score - it);
 * scores become the weights times that sum. */
static void softmax(struct attend *w, float *stat, int64_t t0, int64_t n)
{
    vec max[2], e[4], sum[4] = {vset(0), vset(0), vset(0), vset(0)};
    float *s = w->s;
    int64_t j;

    row_maxima(max, s, n);
    for (j = 0; j + 2 <= n; j += 2, s += 2 * LANES) {
        UNROLL
        for (int i = 0; i < 4; i++)
            e[i] = vload(s + i * VW) - max[i % 2];
        vexp2s(e, 4);
        UNROLL
        for (int i = 0; i < 4; i++) {
            vstore(s + i * VW, e[i]);
            sum[i] += e[i];
        }
    }
    for (int i = 0; i < 2; i++) {
        int64_t at = t0 + i * VW, left = w->t - at;

        if (j < n) {
            e[i] = vexp2(vload(s + i * VW) - max[i]);
            vstore(s + i * VW, e[i]);
            sum[i] += e[i];
        }
        if (left <= 0)
            return;
        vstore_n(stat + at, max[i], left);
        vstore_n(stat + w->t + at, vset(1) / (sum[i] + sum[i + 2]), left);
    }
}

/* c[m][hd] = init + A B, rows of B being hp floats: a panel of columns after
 * the other. */
INLINE void into_rows(const int by_rows, const struct product *whole,
                      const struct attend *w)
{
    for (int64_t c = 0, width; c < w->hd; c += width) {
        struct product p = *whole;

        width = panel_width(w->hd - c);
        p.c += c;
        p.init = p.init ? p.init + c : NULL;
        p.b += c;
        p.ldb = w->hp;
        columns(by_rows, &p, least(w->hd - c, width));
    }
}

/* o[i][c] = sum over n keys of e[j][i] v[j][c], over l_i; rows i. */
static void sum_values(struct attend *w, float *o, int64_t ldo, const float *f,
                       int64_t rows, int64_t n)
{
    const struct product p = {.c = o,
                              .ldc = ldo,
                              .a = w->s,
                              .lda = LANES,
                              .b = w->v,
                              .m = rows,
                              .k = n};

    into_rows(0, &p, w);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < w->hd; c += VW) {
            float *at = o + r * ldo + c;

            vstore_n(at, vload_n(at, w->hd - c) * vset(f[r]), w->hd - c);
        }
}

static void fast_attention(float *o, float *stat, const float *qkv,
                           const struct attention *a, void *scratch)
{
    int64_t group = a->n_head / a->n_kv_head, C = a->n_head * a->head_dim;
    struct attend w;

    attend_carve(&w, a, scratch);
    for (int64_t h = 0; h < a->n_head; h++) {
        float *st = stat + h * 2 * w.t;

        if (h % group == 0)
            load_keys(&w, qkv, h / group);
        for (int64_t t = 0; t < w.t; t += LANES) {
            int64_t n = least(t + LANES, w.t);

            load_queries(&w, qkv, h, t);
            scores(&w, NULL, t, 0, n);
            softmax(&w, st, t, n);
            sum_values(&w, o + t * C + h * w.hd, C, st + w.t + t, n - t, n);
        }
    }
}

/* -D_i = -sum_c dO O / l, as lanes; and the maxima, negative too. */
static void load_starts(struct attend *w, const float *stat, int64_t t0)
{
    for (int v = 0; v < LANES; v += VW) {
        int64_t left = w->t - (t0 + v);
        vec d = vset(0), max = left > 0 ? vload_n(stat + t0 + v, left) : d;

        for (int64_t c = 0; c < w->hd; c++)
            d = vfma(vload(w->ot + c * LANES + v),
                     vload(w->dot + c * LANES + v), d);
        vstore(w->minus_d + v, vset(0) - d);
        vstore(w->minus_max + v, vset(0) - max);
    }
}

/* Scores less their maxima to weights, dP^T - D to dS^T, for n keys. */
static void weights_bwd(struct attend *w, int64_t n)
{
    float *s = w->s, *ds = w->ds;
    int64_t left = n * LANES;
    vec e[4];

    for (; left >= 4 * VW; left -= 4 * VW, s += 4 * VW, ds += 4 * VW) {
        UNROLL
        for (int i = 0; i < 4; i++)
            e[i] = vload(s + i * VW);
        vexp2s(e, 4);
        UNROLL
        for (int i = 0; i < 4; i++) {
            vstore(s + i * VW, e[i]);
            vstore(ds + i * VW, e[i] * vload(ds + i * VW));
        }
    }
    for (; left > 0; left -= VW, s += VW, ds += VW) {
        e[0] = vexp2(vload(s));
        vstore(s, e[0]);
        vstore(ds, e[0] * vload(ds));
    }
}

/* The part of the queries t0.. in dk and dv, and their dq. */
static void block_bwd(struct attend *w, int64_t t0)
{
    int64_t last = least(t0 + LANES, w->t), hp = w->hp;

    for (int64_t j = 0; j < last; j += w->keys) {
        int64_t n = least(last - j, w->keys);
        /* clang-format off */
        const struct product dp = {
            .c = w->ds, .init = w->minus_d, .ldc = LANES,
            .a = w->v + j * hp, .lda = hp,
            .b = w->dot, .ldb = LANES, .m = n, .k = w->hd};
        const struct product dv = {
            .c = w->dv + j * hp, .init = w->dv + j * hp, .ldc = hp, .ldi = hp,
            .a = w->s, .lda = LANES, .b = w->dout, .m = n, .k = last - t0};
        const struct product dk = {
            .c = w->dk + j * hp, .init = w->dk + j * hp, .ldc = hp, .ldi = hp,
            .a = w->ds, .lda = LANES, .b = w->q, .m = n, .k = last - t0};
        const struct product dq = {
            .c = w->dq, .init = j ? w->dq : NULL, .ldc = hp, .ldi = hp,
            .a = w->ds, .lda = LANES, .b = w->k + j * hp,
            .m = last - t0, .k = n};
        /* clang-format on */

        scores(w, w->minus_max, t0, j, n);
        rows2(&dp);
        weights_bwd(w, n);
        into_rows(1, &dv, w);
        into_rows(1, &dk, w);
        into_rows(0, &dq, w);
    }
}

/* dk and dv of a key head go to their places in dqkv. */
static void store_keys(struct attend *w, float *dqkv, int64_t g, float scale)
{
    float *k = dqkv + (w->a->n_head + g) * w->hd;
    float *v = k + w->a->n_kv_head * w->hd;

    rotate(k, w->ld, w->dk, w->hp, w, 0, w->t, -1, scale);
    for (int64_t r = 0; r < w->t; r++)
        for (int64_t c = 0; c < w->hd; c += VW)
            vstore_n(v + r * w->ld + c, vload(w->dv + r * w->hp + c),
                     w->hd - c);
}

static void fast_attention_bwd(float *dqkv, const float *dout, const float *o,
                               const float *stat, const float *qkv,
                               const struct attention *a, void *scratch)
{
    int64_t group = a->n_head / a->n_kv_head, C = a->n_head * a->head_dim;
    float scale = 1 / sqrtf((float)a->head_dim);
    struct attend w;

    attend_carve(&w, a, scratch);
    for (int64_t h = 0; h < a->n_head; h++) {
        const float *st = stat + h * 2 * w.t;

        if (h % group == 0) {
            load_keys(&w, qkv, h / group);
            memset(w.dk, 0, (size_t)(w.t * w.hp) * sizeof *w.dk);
            memset(w.dv, 0, (size_t)(w.t * w.hp) * sizeof *w.dv);
        }
        for (int64_t t = 0; t < w.t; t += LANES) {
            int64_t at = t * C + h * w.hd, rows = least(w.t - t, LANES);

            load_queries(&w, qkv, h, t);
            copy_rows(w.dout, dout + at, C, &w, rows, st + w.t + t);
            to_lanes(w.dot, LANES, LANES, w.dout, w.hp, rows, w.hd);
            to_lanes(w.ot, LANES, LANES, o + at, C, rows, w.hd);
            load_starts(&w, st, t);
            block_bwd(&w, t);
            rotate(dqkv + t * w.ld + h * w.hd, w.ld, w.dq, w.hp, &w, t, rows,
                   -1, scale);
        }
        if ((h + 1) % group == 0)
            store_keys(&w, dqkv, h / group, scale);
    }
}

#endif
