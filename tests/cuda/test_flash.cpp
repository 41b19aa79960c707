/* Flash attention, forward and backward, against attention in double, at
 * lengths around the sizes of its tiles, with and without groups, to the bit
 * in three orders of threads. */
#include "harness.h"

static size_t size(int64_t n)
{
    return static_cast<size_t>(n);
}

struct Case {
    struct flash_shape f;
    std::vector<bf16> qkv, dout;
    std::vector<double> o, lse, dqkv;
};

static double at(const std::vector<bf16> &v, int64_t i)
{
    return number(v[size(i)]);
}

/* One row of one head, and its part of dqkv. */
static void reference_row(Case *c, int b, int h, int t)
{
    const struct flash_shape &f = c->f;
    int64_t D = f.head_dim, Q = (f.n_head + 2 * f.n_kv_head) * D;
    int64_t group = h / (f.n_head / f.n_kv_head), begin = b * f.seq_len;
    int64_t q = (begin + t) * Q + h * D, k = (f.n_head + group) * D;
    int64_t v = (f.n_head + f.n_kv_head + group) * D;
    int64_t o = ((begin + t) * f.n_head + h) * D;
    double scale = 1 / sqrt(static_cast<double>(D)), sum = 0, dot = 0;
    std::vector<double> p(size(t + 1));

    for (int j = 0; j <= t; j++) {
        double s = 0;

        for (int64_t i = 0; i < D; i++)
            s += at(c->qkv, q + i) * at(c->qkv, (begin + j) * Q + k + i);
        sum += p[size(j)] = exp(s * scale);
    }
    c->lse[size((b * f.n_head + h) * f.seq_len + t)] = log(sum);
    for (int j = 0; j <= t; j++)
        for (int64_t i = 0; i < D; i++)
            c->o[size(o + i)] +=
                p[size(j)] / sum * at(c->qkv, (begin + j) * Q + v + i);
    for (int64_t i = 0; i < D; i++)
        dot += c->o[size(o + i)] * at(c->dout, o + i);
    for (int j = 0; j <= t; j++) {
        double w = p[size(j)] / sum, dp = 0, ds;
        int64_t row = (begin + j) * Q;

        for (int64_t i = 0; i < D; i++)
            dp += at(c->dout, o + i) * at(c->qkv, row + v + i);
        ds = w * (dp - dot) * scale;
        for (int64_t i = 0; i < D; i++) {
            c->dqkv[size(q + i)] += ds * at(c->qkv, row + k + i);
            c->dqkv[size(row + k + i)] += ds * at(c->qkv, q + i);
            c->dqkv[size(row + v + i)] += w * at(c->dout, o + i);
        }
    }
}

static Case reference(struct flash_shape f)
{
    Random r = {11};
    int64_t rows = static_cast<int64_t>(f.batch) * f.seq_len;
    int64_t Q = (f.n_head + 2 * f.n_kv_head) * f.head_dim;
    Case c = {f,
              r.halves(size(rows * Q), 2),
              r.halves(size(rows * f.n_head * f.head_dim)),
              {},
              {},
              {}};

    c.o.resize(c.dout.size());
    c.lse.resize(size(rows * f.n_head));
    c.dqkv.resize(c.qkv.size());
    for (int b = 0; b < f.batch; b++)
        for (int h = 0; h < f.n_head; h++)
            for (int t = 0; t < f.seq_len; t++)
                reference_row(&c, b, h, t);
    return c;
}

static void flash_at(struct flash_shape f)
{
    Case c = reference(f);
    char what[80];

    snprintf(what, sizeof what, "flash batch %d, T %d, heads %d of %d, D %d",
             f.batch, f.seq_len, f.n_head, f.n_kv_head, f.head_dim);
    in_all_orders(what, [&] {
        Device<bf16> qkv(c.qkv), dout(c.dout), o(c.o.size());
        Device<bf16> dqkv(c.qkv.size());
        Device<float> lse(c.lse.size()), dot(c.lse.size());
        Bits bits;

        flash_forward(o.p, lse.p, qkv.p, f, nullptr);
        flash_backward(dqkv.p, dot.p, dout.p, o.p, lse.p, qkv.p, f, nullptr);
        check_close(what, o.get(), c.o, 0.008);
        check_close("lse", lse.get(), c.lse, 1e-4);
        check_close("dqkv", dqkv.get(), c.dqkv, 0.015);
        bits.add(o.get());
        bits.add(lse.get());
        bits.add(dqkv.get());
        return bits;
    });
}

static void head_dim_8(void)
{
    flash_at({2, 65, 2, 1, 8});
    flash_at({1, 130, 3, 3, 8});
}

static void head_dim_16(void)
{
    flash_at({1, 65, 4, 2, 16});
    flash_at({1, 24, 1, 1, 16});
}

static void head_dim_32(void)
{
    flash_at({2, 65, 2, 1, 32});
    flash_at({1, 130, 2, 2, 32});
    flash_at({1, 1, 1, 1, 32});
}

static void head_dim_64(void)
{
    flash_at({1, 77, 4, 2, 64});
    flash_at({1, 64, 1, 1, 64});
    flash_at({1, 15, 2, 1, 64});
}

static void head_dim_128(void)
{
    flash_at({1, 40, 2, 1, 128});
    flash_at({1, 81, 1, 1, 128});
}

static void supported(void)
{
    int yes = 1;

    for (int d : {8, 16, 32, 64, 128})
        yes = yes && flash_supports(d);
    check("8, 16, 32, 64 and 128",
          yes && !flash_supports(24) && !flash_supports(96));
}

static const Test tests[] = {
    {"head_dim_8", head_dim_8},     {"head_dim_16", head_dim_16},
    {"head_dim_32", head_dim_32},   {"head_dim_64", head_dim_64},
    {"head_dim_128", head_dim_128}, {"supported", supported},
};

TESTS_MAIN(flash, tests)
