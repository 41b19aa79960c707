/* Every kernel but attention: against a reference in double at odd shapes, to
 * the bit in three orders of threads. */
#include "harness.h"

#include <algorithm>

static size_t size(int64_t n)
{
    return static_cast<size_t>(n);
}

static void rows_of_the_table(void)
{
    const int shape[][3] = {{1, 4, 3}, {7, 72, 5}, {33, 520, 4}};

    for (const int *s : shape) {
        int rows = s[0], c = s[1], vocab = s[2];
        Random r = {1};
        std::vector<bf16> table = r.halves(size(vocab * c));
        std::vector<int32_t> token = r.tokens(size(rows), vocab);
        std::vector<double> want;

        for (int32_t t : token)
            for (int i = 0; i < c; i++)
                want.push_back(number(table[size(t * c + i)]));
        in_all_orders("embed", [&] {
            Device<bf16> d(table);
            Device<int32_t> t(token);
            Device<float> x(size(rows * c));
            Bits bits;

            embed_forward(x.p, d.p, t.p, rows, c, nullptr);
            check_close("embed", x.get(), want, 0);
            bits.add(x.get());
            return bits;
        });
    }
}

static void gradient_of_the_table(void)
{
    const int c = 136, vocab = 5;
    /* Tokens 1 and 4 occur, 4 three times. */
    std::vector<int32_t> which = {1, 4}, first = {0, 1, 4}, row = {2, 0, 1, 3};
    Random r = {2};
    std::vector<float> dx = r.floats(4 * c), begin = r.floats(vocab * c);
    std::vector<double> want(begin.begin(), begin.end());

    for (int i = 0; i < c; i++) {
        want[size(c + i)] += number(dx[size(2 * c + i)]);
        want[size(4 * c + i)] += number(dx[size(i)]) + number(dx[size(c + i)]) +
                                 number(dx[size(3 * c + i)]);
    }
    in_all_orders("embed_backward", [&] {
        Device<float> d(begin), x(dx);
        Device<int32_t> w(which), f(first), o(row);
        Bits bits;

        embed_backward(d.p, x.p, w.p, f.p, o.p, 2, c, nullptr);
        check_close("embed_backward", d.get(), want, 1e-6);
        bits.add(d.get());
        return bits;
    });
}

static void norm_at(int rows, int c, int add)
{
    Random r = {3};
    std::vector<float> x = r.floats(size(rows * c), 2);
    std::vector<float> dx0 = r.floats(size(rows * c)), dg0 = r.floats(size(c));
    std::vector<bf16> g = r.halves(size(c)), dy = r.halves(size(rows * c));
    std::vector<double> y(x.size()), rstd(size(rows)), dx(x.size());
    std::vector<double> dg(dg0.begin(), dg0.end());

    for (int i = 0; i < rows; i++) {
        double sum = 0, mean = 0;

        for (int k = 0; k < c; k++)
            sum += pow(number(x[size(i * c + k)]), 2);
        rstd[size(i)] = 1 / sqrt(sum / c + 1e-5);
        for (int k = 0; k < c; k++) {
            size_t o = size(i * c + k);

            y[o] = number(x[o]) * rstd[size(i)] * number(g[size(k)]);
            mean += number(dy[o]) * y[o] / c;
            dg[size(k)] += number(dy[o]) * number(x[o]) * rstd[size(i)];
        }
        for (int k = 0; k < c; k++) {
            size_t o = size(i * c + k);
            double u = number(x[o]) * rstd[size(i)];

            dx[o] =
                (add ? number(dx0[o]) : 0) +
                rstd[size(i)] * (number(dy[o]) * number(g[size(k)]) - u * mean);
        }
    }
    in_all_orders("rmsnorm", [&] {
        Device<float> dev_x(x), dev_r(size(rows)), dev_dg(dg0);
        Device<float> partial(size(NORM_BLOCKS * c)), dev_dx(x.size());
        Device<bf16> dev_g(g), dev_y(x.size()), again(x.size()), dev_dy(dy);
        Device<bf16> copy(x.size());
        Bits bits;

        if (add)
            cudaMemcpy(dev_dx.p, dx0.data(), dx0.size() * sizeof(float),
                       cudaMemcpyHostToDevice);
        rmsnorm_forward(dev_y.p, dev_r.p, dev_x.p, dev_g.p, 1e-5f, rows, c,
                        nullptr);
        rmsnorm_backward(dev_dx.p, copy.p, dev_dg.p, again.p, partial.p,
                         dev_dy.p, dev_x.p, dev_g.p, dev_r.p, add, rows, c,
                         nullptr);
        check_close("rmsnorm y", dev_y.get(), y, 0.004);
        check_close("rmsnorm rstd", dev_r.get(), rstd, 1e-6);
        check_close("rmsnorm y again", again.get(), y, 0.004);
        check_close("rmsnorm dx", dev_dx.get(), dx, 1e-5);
        check_close("rmsnorm dx16", copy.get(), dx, 0.004);
        check_close("rmsnorm dg", dev_dg.get(), dg, 1e-5);
        bits.add(dev_y.get());
        bits.add(dev_dx.get());
        bits.add(dev_dg.get());
        return bits;
    });
}

static void norms(void)
{
    norm_at(1, 4, 0);
    norm_at(5, 512, 1);
    norm_at(3, 264, 1);
    norm_at(2, 1028, 0);
    norm_at(2, NORM_MAX_C / 3, 1);
    norm_at(NORM_BLOCKS * 8 + 21, 12, 1);
    /* A row of two warps, and blocks that take several times rows: sums must
     * not meet. */
    norm_at(NORM_BLOCKS * 4 + 3, 136, 1);
}

static void turns(void)
{
    const int shape[][5] = {/* batch, seq_len, heads, more, head_dim */
                            {1, 1, 1, 0, 8},
                            {2, 5, 3, 2, 24},
                            {1, 33, 2, 1, 64}};

    for (const int *s : shape) {
        int rows = s[0] * s[1], pairs = s[4] / 2, ld = (s[2] + s[3]) * s[4];
        Random r = {4};
        std::vector<bf16> x = r.halves(size(rows * ld));
        std::vector<float2> turn(size(s[1] * pairs));
        std::vector<double> want, back;

        for (size_t i = 0; i < turn.size(); i++) {
            double a = 3 * r.next();

            turn[i] = make_float2(static_cast<float>(cos(a)),
                                  static_cast<float>(sin(a)));
        }
        for (bf16 v : x)
            want.push_back(number(v));
        back = want;
        for (int i = 0; i < rows; i++)
            for (int h = 0; h < s[2]; h++)
                for (int k = 0; k < pairs; k++) {
                    double *p = &want[size(i * ld + h * s[4] + k)];
                    float2 t = turn[size(i % s[1] * pairs + k)];
                    double a = p[0], b = p[pairs];

                    p[0] = a * number(t.x) - b * number(t.y);
                    p[pairs] = a * number(t.y) + b * number(t.x);
                }
        in_all_orders("rope", [&] {
            Device<bf16> d(x);
            Device<float2> t(turn);
            Bits bits;

            rope(d.p, t.p, 1, rows, ld, s[2], s[4], s[1], nullptr);
            check_close("rope", d.get(), want, 0.004);
            bits.add(d.get());
            rope(d.p, t.p, -1, rows, ld, s[2], s[4], s[1], nullptr);
            check_close("rope back", d.get(), back, 0.01);
            return bits;
        });
    }
}

static void gates(void)
{
    const int shape[][2] = {{1, 4}, {3, 172}, {257, 8}};

    for (const int *s : shape) {
        int rows = s[0], f = s[1];
        Random r = {5};
        std::vector<bf16> gu = r.halves(size(rows * 2 * f), 3);
        std::vector<bf16> dact = r.halves(size(rows * f));
        std::vector<double> act, dgu(gu.size());

        for (int i = 0; i < rows; i++)
            for (int k = 0; k < f; k++) {
                size_t at = size(i * 2 * f + k);
                double g = number(gu[at]), u = number(gu[at + size(f)]);
                double d = number(dact[size(i * f + k)]);
                double sig = 1 / (1 + exp(-g));

                act.push_back(g * sig * u);
                dgu[at] = d * u * sig * (1 + g * (1 - sig));
                dgu[at + size(f)] = d * g * sig;
            }
        in_all_orders("swiglu", [&] {
            Device<bf16> d(gu), a(act.size()), b(act.size()), da(dact);
            Device<bf16> out(gu.size());
            Bits bits;

            swiglu_forward(a.p, d.p, rows, f, nullptr);
            swiglu_backward(out.p, b.p, da.p, d.p, rows, f, nullptr);
            check_close("swiglu", a.get(), act, 0.004);
            check_close("swiglu again", b.get(), act, 0.004);
            check_close("swiglu dgu", out.get(), dgu, 0.004);
            bits.add(a.get());
            bits.add(out.get());
            return bits;
        });
    }
}

static void cross_entropies(void)
{
    const int shape[][2] = {{4, 2}, {5, 9}, {3, 256}, {2, 1031}, {2, 2049}};

    for (const int *s : shape) {
        int rows = s[0], v = s[1], ld = (v + 7) / 8 * 8;
        Random r = {6};
        std::vector<bf16> z = r.halves(size(rows * ld), 8);
        std::vector<int32_t> target = r.tokens(size(rows), v);
        std::vector<double> nats, grad;
        float scale = 0.125f;

        target.back() = v - 1;
        for (int i = 0; i < rows; i++) {
            double sum = 0;
            const bf16 *row = &z[size(i * ld)];

            for (int k = 0; k < v; k++)
                sum += exp(number(row[k]));
            nats.push_back(log(sum) - number(row[target[size(i)]]));
            for (int k = 0; k < ld; k++)
                grad.push_back(k < v ? number(scale) *
                                           (exp(number(row[k])) / sum -
                                            (k == target[size(i)]))
                                     : 0);
        }
        in_all_orders("cross_entropy", [&] {
            Device<bf16> d(z);
            Device<int32_t> t(target);
            Device<float> n(size(rows)), m(size(rows));
            std::vector<bf16> out;
            Bits bits;

            cross_entropy(m.p, d.p, t.p, rows, v, ld, 0, 0, nullptr);
            cross_entropy(n.p, d.p, t.p, rows, v, ld, scale, 1, nullptr);
            out = d.get();
            for (size_t i = 0; i < out.size(); i++) /* of no meaning */
                if (static_cast<int>(i % size(ld)) >= v)
                    out[i] = __float2bfloat16_rn(0);
            check_close("loss", n.get(), nats, 1e-5);
            check_close("loss alone", m.get(), nats, 1e-5);
            check_close("dlogits", out, grad, 0.004);
            bits.add(n.get());
            bits.add(out);
            return bits;
        });
    }
}

/* What is not a number must not look like a loss. */
static void nan_logits(void)
{
    std::vector<bf16> z(304, __float2bfloat16_rn(1));
    std::vector<int32_t> target = {2};

    z[299] = __float2bfloat16_rn(NAN);
    in_all_orders("nan", [&] {
        Device<bf16> d(z);
        Device<int32_t> t(target);
        Device<float> n(1);

        cross_entropy(n.p, d.p, t.p, 1, 300, 304, 1, 0, nullptr);
        check("a NaN among the logits is a NaN loss",
              std::isnan(number(n.get()[0])));
        return Bits();
    });
}

/* Three stretches with gaps, of which the second does not decay: where they
 * are in the gradient is not where they are in the moments. */
static std::vector<stretch> stretches_of(int64_t n)
{
    return {{0, 0, n, 0, 1}, {n + 4, n, 4, 0, 0}, {n + 12, n + 4, n, 0, 1}};
}

static void optimiser(void)
{
    for (int64_t n : {4, 1028, 4100}) {
        Random r = {7};
        std::vector<stretch> table = stretches_of(n);
        int64_t blocks = stretch_blocks(table.data(), 3, ADAMW_FLOATS);
        size_t local = size(2 * n + 4), flat = size(2 * n + 12);
        std::vector<float> p = r.floats(local), m = r.floats(local, 0.1);
        std::vector<float> v = r.floats(local, 0.1), g = r.floats(flat);
        struct adamw_args a = {0.9f, 0.95f, 1e-8f, 0.5f, 0.01f, 1.5f, 0.99f};
        std::vector<double> pw(local), mw(local), vw(local), ww(flat, 0);

        for (const stretch &s : table)
            for (int64_t k = 0; k < s.n; k++) {
                size_t i = size(s.local + k);
                double d = number(g[size(s.at + k)]) * 0.5;

                v[i] = fabsf(v[i]);
                mw[i] =
                    number(a.beta1) * number(m[i]) + (1 - number(a.beta1)) * d;
                vw[i] = number(a.beta2) * number(v[i]) +
                        (1 - number(a.beta2)) * d * d;
                pw[i] = (s.decays ? number(a.decay) : 1) * number(p[i]) -
                        number(a.rate) * mw[i] / (sqrt(vw[i]) * 1.5 + 1e-8);
                ww[size(s.at + k)] = pw[i];
            }
        in_all_orders("adamw", [&] {
            Device<float> dp(p), dm(m), dv(v), dg(g);
            Device<stretch> dt(table);
            Device<bf16> w(std::vector<bf16>(flat, __float2bfloat16_rn(0)));
            Device<bf16> w2(local);
            Bits bits;

            adamw(dp.p, dm.p, dv.p, w.p, dg.p, a, dt.p, 3, blocks, nullptr);
            to_bf16(w2.p, dp.p, static_cast<int64_t>(local), nullptr);
            check_close("adamw p", dp.get(), pw, 1e-6);
            check_close("adamw m", dm.get(), mw, 1e-6);
            check_close("adamw v", dv.get(), vw, 1e-6);
            check_close("adamw w", w.get(), ww, 0.004);
            check_close("to_bf16", w2.get(), pw, 0.004);
            bits.add(dp.get());
            bits.add(w.get());
            return bits;
        });
    }
}

static void norm_of_the_gradient(void)
{
    for (int64_t n : {1, 4095, 4096, 4097, 300 * 4096 + 5}) {
        Random r = {8};
        std::vector<float> x = r.floats(size(n + 7));
        std::vector<stretch> table = {
            {0, 0, n, 0, 0}, {n, n, 0, 0, 0}, {n + 2, n, 5, 0, 0}};
        int64_t blocks = stretch_blocks(table.data(), 3, SQUARES_FLOATS);
        std::vector<double> want(3);

        for (size_t i = 0; i < 3; i++)
            for (int64_t k = 0; k < table[i].n; k++)
                want[i] += pow(number(x[size(table[i].at + k)]), 2);
        in_all_orders("sum_squares", [&] {
            Device<float> d(x);
            Device<stretch> t(table);
            Device<double> sum(3), partial(size(blocks));
            Bits bits;

            sum_squares(sum.p, partial.p, d.p, t.p, 3, blocks, nullptr);
            check_close("sum_squares", sum.get(), want, 1e-12);
            bits.add(sum.get());
            return bits;
        });
    }
}

static void attention_weights(void)
{
    for (int t : {1, 7, 33, 130}) {
        int rows = 2 * t;
        Random r = {9};
        std::vector<float> score = r.floats(size(rows * t), 6);
        std::vector<float> dp = r.floats(size(rows * t));
        std::vector<double> p(score.size()), ds(score.size());

        for (int i = 0; i < rows; i++) {
            double sum = 0, dot = 0;
            size_t o = size(i * t);

            for (int j = 0; j <= i % t; j++)
                sum += exp(0.25 * number(score[o + size(j)]));
            for (int j = 0; j <= i % t; j++) {
                p[o + size(j)] = exp(0.25 * number(score[o + size(j)])) / sum;
                dot += p[o + size(j)] * number(dp[o + size(j)]);
            }
            for (int j = 0; j <= i % t; j++)
                ds[o + size(j)] =
                    0.25 * p[o + size(j)] * (number(dp[o + size(j)]) - dot);
        }
        in_all_orders("softmax", [&] {
            Device<float> s(score), d(dp);
            Device<bf16> w(score.size()), out(score.size());
            Bits bits;

            softmax_forward(w.p, s.p, 0.25f, rows, t, nullptr);
            softmax_backward(out.p, w.p, d.p, 0.25f, rows, t, nullptr);
            check_close("softmax", w.get(), p, 0.004);
            check_close("softmax ds", out.get(), ds, t == 1 ? 1 : 0.02);
            bits.add(w.get());
            bits.add(out.get());
            return bits;
        });
    }
}

static const Test tests[] = {
    {"rows_of_the_table", rows_of_the_table},
    {"gradient_of_the_table", gradient_of_the_table},
    {"norms", norms},
    {"turns", turns},
    {"gates", gates},
    {"cross_entropies", cross_entropies},
    {"nan_logits", nan_logits},
    {"optimiser", optimiser},
    {"norm_of_the_gradient", norm_of_the_gradient},
    {"attention_weights", attention_weights},
};

TESTS_MAIN(kernels, tests)
