/* attention: causal softmax attention, a block of LANES queries at a time.
 *
 * Lanes are queries.  Scores are made transposed, S^T[key][query]: then the
 * softmax over keys needs no sums across lanes, the causal mask is one compare
 * a row on the diagonal block only, and every product is the micro-kernel of
 * gemm.h with both operands where they already are:
 *
 *   forward   S^T[j][i]  = K^T[c][j] . Q^T[c][i]        by columns, k =
 * head_dim e[j][i]    = 2^(S^T - max_i), l_i = sum of e over j O^T[c][i]  =
 * V[j][c] . e[j][i] / l_i       by columns, k = keys backward  e again from Q,
 * K and the kept max_i, a block of keys at a time dP^T[j][i] = V[j][c] .
 * dO^T[c][i]          by rows dS^T       = e (dP^T - D_i),  D_i = sum_c dO O
 *             dV[j][c]  += e[j][i] . dO[i][c]            by rows, k = LANES
 *             dK[j][c]  += dS^T[j][i] . Q[i][c]          by rows, k = LANES
 *             dQ^T[c][i]+= K^T[c][j] . dS^T[j][i]        by rows, k = keys
 *
 * Scores are in units of log 2: Q^T carries log2(e) / sqrt(head_dim).  The
 * weights are never divided by l: O is, and dO on the way back.  RoPE is
 * applied while q and k are turned into lanes, and undone while their
 * gradients are turned back into rows; as lanes, the two halves of a head are
 * whole rows.  Nothing grows with seq_len squared but the time. */
#ifndef LOGLOG_TRAINER_CPU_ATTENTION_H
#define LOGLOG_TRAINER_CPU_ATTENTION_H

#include "trainer/cpu/gemm.h"

#include <math.h>

#define LANES (2 * VW) /* queries at a time */
#define KEYS 96 /* keys a block on the way back: 2 x 12 KB stay in cache */
#define MASKED (-1e30f)

/* Scratch of one head, all from the caller's block.  hp is head_dim rounded
 * up to whole vecs, tp is seq_len rounded up to LANES and one line more. */
struct attend {
    int64_t t, hd, hp, tp, ld;
    const struct attention *a;
    float *kt;       /* [hd][tp] rotated keys */
    float *v;        /* [t][hp] */
    float *dk, *dv;  /* [tp][hp] */
    float *qt;       /* [hd][LANES] rotated, scaled queries */
    float *q;        /* [LANES][hp] rotated queries */
    float *ot, *dot; /* [hd][LANES] */
    float *dout;     /* [LANES][hp] */
    float *s;        /* [tp][LANES] scores; on the way back [KEYS][LANES] */
    float *ds;       /* [KEYS][LANES] */
};

static size_t attend_carve(struct attend *w, const struct attention *a,
                           float *at)
{
    int64_t hd = a->head_dim, hp = (hd + VW - 1) / VW * VW;
    int64_t tp = (a->seq_len + LANES - 1) / LANES * LANES + 16;
    int64_t n_s = tp > KEYS ? tp : KEYS;
    /* clang-format off */
    const struct { float **p; int64_t n; } piece[] = {
        {&w->kt, hd * tp}, {&w->v, tp * hp}, {&w->dk, tp * hp},
        {&w->dv, tp * hp}, {&w->qt, hd * LANES}, {&w->q, LANES * hp},
        {&w->ot, hd * LANES}, {&w->dot, hd * LANES}, {&w->dout, LANES * hp},
        {&w->s, n_s * LANES}, {&w->ds, KEYS * LANES}};
    /* clang-format on */
    size_t used = 0;

    w->t = a->seq_len;
    w->hd = hd;
    w->hp = hp;
    w->tp = tp;
    w->ld = (a->n_head + 2 * a->n_kv_head) * hd;
    w->a = a;
    for (size_t i = 0; i < sizeof piece / sizeof *piece; i++) {
        *piece[i].p = at ? at + used : NULL;
        used += (size_t)((piece[i].n + 15) / 16 * 16);
    }
    return used * sizeof(float);
}

/* Turn x[hd][ld], lanes being positions t0.., by dir (1 or -1) times the
 * angle of RoPE, and scale it. */
static void rotate(float *x, int64_t ld, const struct attend *w, int64_t t0,
                   int64_t lanes, float dir, float scale)
{
    int64_t half = w->hd / 2;

    for (int64_t i = 0; i < half; i++)
        for (int64_t r = 0; r < lanes; r += VW) {
            int64_t n = least(w->t - (t0 + r), VW);
            vec c, s, lo = vload(x + i * ld + r);
            vec hi = vload(x + (i + half) * ld + r);

            if (n <= 0)
                break;
            c = vload_n(w->a->cos + i * w->t + t0 + r, n) * vset(scale);
            s = vload_n(w->a->sin + i * w->t + t0 + r, n) * vset(scale * dir);
            vstore(x + i * ld + r, vfma(lo, c, vset(0) - hi * s));
            vstore(x + (i + half) * ld + r, vfma(hi, c, lo * s));
        }
}

/* Keys and values of head g. */
static void load_keys(struct attend *w, const float *qkv, int64_t g)
{
    const float *k = qkv + (w->a->n_head + g) * w->hd;
    const float *v = k + w->a->n_kv_head * w->hd;

    for (int64_t t = 0; t < w->t; t += LANES) {
        int64_t rows = least(w->t - t, LANES);

        to_lanes(w->kt + t, w->tp, LANES, k + t * w->ld, w->ld, rows, w->hd);
    }
    rotate(w->kt, w->tp, w, 0, w->t, 1, 1);
    for (int64_t t = 0; t < w->t; t++)
        for (int64_t c = 0; c < w->hp; c += VW)
            vstore(w->v + t * w->hp + c, vload_n(v + t * w->ld + c, w->hd - c));
}

/* Queries t0.. of head h as lanes, rotated and scaled. */
static void load_queries(struct attend *w, const float *qkv, int64_t h,
                         int64_t t0, float scale)
{
    to_lanes(w->qt, LANES, LANES, qkv + t0 * w->ld + h * w->hd, w->ld,
             least(w->t - t0, LANES), w->hd);
    rotate(w->qt, LANES, w, t0, LANES, 1, scale);
}

static float score_scale(const struct attend *w)
{
    return (float)((double)LOG2E / sqrt((double)w->hd));
}

/* Scores of keys j0..j0+n against the queries t0..: s[n][LANES]; what lies
 * above the diagonal is masked. */
static void scores(struct attend *w, int64_t t0, int64_t j0, int64_t n)
{
    const struct product p = {.c = w->s,
                              .ldc = LANES,
                              .a = w->kt + j0,
                              .lda = w->tp,
                              .b = w->qt,
                              .ldb = LANES,
                              .m = n,
                              .k = w->hd};

    cols2(&p);
    for (int64_t j = j0 > t0 ? j0 : t0; j < j0 + n; j++)
        for (int64_t r = 0; r < LANES; r += VW) {
            float *s = w->s + (j - j0) * LANES + r;

            vstore(s, vselect(viota() < vseti((int32_t)(j - t0 - r)),
                              vset(MASKED), vload(s)));
        }
}

/* stat[0][t] = the largest score, stat[1][t] = 1 / sum of 2^(score - it);
 * scores become the weights times that sum. */
static void softmax(struct attend *w, float *stat, int64_t t0, int64_t n)
{
    for (int64_t r = 0; r < LANES; r += VW) {
        int64_t left = w->t - (t0 + r);
        vec max[4], sum[2] = {vset(0), vset(0)};
        float *s = w->s + r;
        int64_t j;

        if (left <= 0)
            return;
        max[0] = max[1] = max[2] = max[3] = vload(s);
        for (j = 0; j + 4 <= n; j += 4)
            UNROLL
        for (int i = 0; i < 4; i++)
            max[i] = vmax(max[i], vload(s + (j + i) * LANES));
        for (; j < n; j++)
            max[0] = vmax(max[0], vload(s + j * LANES));
        max[0] = vmax(vmax(max[0], max[1]), vmax(max[2], max[3]));
        for (j = 0; j < n; j++) {
            vec e = vexp2(vload(s + j * LANES) - max[0]);

            vstore(s + j * LANES, e);
            sum[j & 1] += e;
        }
        vstore_n(stat + t0 + r, max[0], left);
        vstore_n(stat + w->t + t0 + r, vset(1) / (sum[0] + sum[1]), left);
    }
}

/* x[hd][LANES] times the lanes y[0..LANES), of which `left` exist. */
static void scale_lanes(float *x, const float *y, int64_t hd, int64_t left)
{
    for (int64_t r = 0; r < LANES && r < left; r += VW) {
        vec f = vload_n(y + r, left - r);

        for (int64_t c = 0; c < hd; c++)
            vstore(x + c * LANES + r, vload(x + c * LANES + r) * f);
    }
}

/* ot[c][i] = sum over n keys of v[j][c] e[j][i] */
static void sum_values(struct attend *w, int64_t n)
{
    const struct product p = {.c = w->ot,
                              .ldc = LANES,
                              .a = w->v,
                              .lda = w->hp,
                              .b = w->s,
                              .ldb = LANES,
                              .m = w->hd,
                              .k = n};

    cols2(&p);
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

            load_queries(&w, qkv, h, t, score_scale(&w));
            scores(&w, t, 0, n);
            softmax(&w, st, t, n);
            sum_values(&w, n);
            scale_lanes(w.ot, st + w.t + t, w.hd, w.t - t);
            from_lanes(o + t * C + h * w.hd, C, w.ot, LANES, n - t, w.hd);
        }
    }
}

/* D_i = sum_c dO O, as lanes; ot and dot hold O^T and dO^T. */
static void dots(vec d[2], const struct attend *w)
{
    for (int v = 0; v < 2; v++) {
        d[v] = vset(0);
        for (int64_t c = 0; c < w->hd; c++)
            d[v] = vfma(vload(w->ot + c * LANES + v * VW),
                        vload(w->dot + c * LANES + v * VW), d[v]);
    }
}

/* Scores to weights, dP^T to dS^T, for n keys. */
static void weights_bwd(struct attend *w, const vec max[2], const vec d[2],
                        int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        UNROLL
    for (int v = 0; v < 2; v++) {
        float *s = w->s + j * LANES + v * VW, *ds = w->ds + j * LANES + v * VW;
        vec e = vexp2(vload(s) - max[v]);

        vstore(s, e);
        vstore(ds, e * (vload(ds) - d[v]));
    }
}

/* d[n][hp] += s[n][LANES] x[LANES][hp] */
static void to_keys(float *d, const float *s, const float *x, int64_t hp,
                    int64_t n)
{
    for (int64_t c = 0, width; c < hp; c += width) {
        const struct product p = {.c = d + c,
                                  .init = d + c,
                                  .ldc = hp,
                                  .ldi = hp,
                                  .a = s,
                                  .lda = LANES,
                                  .b = x + c,
                                  .ldb = hp,
                                  .m = n,
                                  .k = LANES};

        width = panel_width(hp - c);
        columns(1, &p, width);
    }
}

/* The part of one block of queries in dk, dv (rows of keys) and in dq, which
 * is left in w->ot. */
static void block_bwd(struct attend *w, const float *stat, const vec d[2],
                      int64_t t0)
{
    int64_t last = least(t0 + LANES, w->t), hp = w->hp;
    vec max[2];

    for (int v = 0; v < 2; v++) {
        int64_t left = w->t - (t0 + v * VW);

        max[v] = left > 0 ? vload_n(stat + t0 + v * VW, left) : vset(0);
    }
    for (int64_t j = 0; j < last; j += KEYS) {
        int64_t n = least(last - j, KEYS);
        /* clang-format off */
        const struct product dp = {
            .c = w->ds, .ldc = LANES, .a = w->v + j * hp, .lda = hp,
            .b = w->dot, .ldb = LANES, .m = n, .k = w->hd};
        const struct product dq = {
            .c = w->ot, .init = j ? w->ot : NULL, .ldc = LANES, .ldi = LANES,
            .a = w->kt + j, .lda = w->tp, .b = w->ds, .ldb = LANES,
            .m = w->hd, .k = n};
        /* clang-format on */

        scores(w, t0, j, n);
        rows2(&dp);
        weights_bwd(w, max, d, n);
        to_keys(w->dv + j * hp, w->s, w->dout, hp, n);
        to_keys(w->dk + j * hp, w->ds, w->q, hp, n);
        rows2(&dq);
    }
}

/* dk and dv of a key head go to their places in dqkv. */
static void store_keys(struct attend *w, float *dqkv, int64_t g, float scale)
{
    float *k = dqkv + (w->a->n_head + g) * w->hd;
    float *v = k + w->a->n_kv_head * w->hd;

    for (int64_t t = 0; t < w->t; t += LANES) {
        int64_t rows = least(w->t - t, LANES);

        to_lanes(w->qt, LANES, LANES, w->dk + t * w->hp, w->hp, rows, w->hd);
        rotate(w->qt, LANES, w, t, LANES, -1, scale);
        from_lanes(k + t * w->ld, w->ld, w->qt, LANES, rows, w->hd);
        for (int64_t r = t; r < t + rows; r++)
            for (int64_t c = 0; c < w->hd; c += VW)
                vstore_n(v + r * w->ld + c, vload(w->dv + r * w->hp + c),
                         w->hd - c);
    }
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
            vec d[2];

            load_queries(&w, qkv, h, t, 1);
            from_lanes(w.q, w.hp, w.qt, LANES, LANES, w.hd);
            for (int64_t i = 0; i < w.hd * LANES; i += VW)
                vstore(w.qt + i, vload(w.qt + i) * vset(score_scale(&w)));
            to_lanes(w.dot, LANES, LANES, dout + at, C, rows, w.hd);
            to_lanes(w.ot, LANES, LANES, o + at, C, rows, w.hd);
            scale_lanes(w.dot, st + w.t + t, w.hd, w.t - t);
            from_lanes(w.dout, w.hp, w.dot, LANES, LANES, w.hd);
            dots(d, &w);
            block_bwd(&w, st, d, t);
            rotate(w.ot, LANES, &w, t, LANES, -1, scale);
            from_lanes(dqkv + t * w.ld + h * w.hd, w.ld, w.ot, LANES, rows,
                       w.hd);
        }
        if ((h + 1) % group == 0)
            store_keys(&w, dqkv, h / group, scale);
    }
}

#endif
