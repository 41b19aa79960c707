/* The engine, run on the emulator, against the model of the CPU: weights,
 * losses, gradients, fifty steps of training, under every policy of streams;
 * the state in and out; what does not fit and what cannot be. */
#include "harness.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include "base/mem.h"
#include "trainer/adamw.h"
#include "trainer/model.h"
}
#include "trainer/cuda/engine.h"

extern "C" const struct engine_api *loglog_engine(uint32_t abi);

static const struct engine_api *api;
static unsigned char gang_id[ENGINE_ID_BYTES]; /* of the gang being tested */

static struct run_spec spec_of(int d_model, int n_head, int n_kv_head)
{
    struct run_spec s;

    spec_defaults(&s);
    s.model.vocab = 101;
    s.model.seq_len = 24;
    s.model.d_model = d_model;
    s.model.n_layer = 2;
    s.model.n_head = n_head;
    s.model.n_kv_head = n_kv_head;
    s.model.d_ff = 88;
    s.model.init_std = 0.05;
    s.dtype = DTYPE_BF16;
    s.batch_tokens = 4 * 24;
    s.optim.lr = 3e-3;
    return s;
}

static struct engine *engine_of(const struct run_spec *s,
                                const struct engine_options *o)
{
    struct engine *g = nullptr;
    struct err e = {};

    if (api->create(&g, s, o, &e) ||
        (o->gang > 1 && api->join(g, gang_id, &e))) {
        printf("create: %s\n", e.text);
        exit(1);
    }
    return g;
}

static void must(int r, const struct err *e)
{
    if (r) {
        printf("%s\n", e->text);
        exit(1);
    }
}

/* Rows in which the next token is a function of the last one, mostly. */
static std::vector<int32_t> batch_of(const struct run_spec *s, int step,
                                     int rows)
{
    int64_t T = s->model.seq_len, V = s->model.vocab;
    Random r = {static_cast<unsigned>(step) + 77};
    std::vector<int32_t> t =
        r.tokens(static_cast<size_t>(rows * (T + 1)), static_cast<int>(V));

    for (size_t i = 0; i < t.size(); i++)
        if (i % static_cast<size_t>(T + 1) && i % 5)
            t[i] = static_cast<int32_t>((t[i - 1] * 3 + 1) % V);
    return t;
}

static struct model *cpu_model(const struct run_spec *s)
{
    struct model *m;
    struct err e = {};

    must(model_create(&m, s, &e), &e);
    model_init(m, s->seed);
    return m;
}

static double relative(const float *a, const float *b, size_t n)
{
    double error = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        error += pow(number(a[i]) - number(b[i]), 2);
        size += pow(number(b[i]), 2);
    }
    return sqrt(error / size);
}

/* Loss and gradient of a few rows, tensor by tensor. */
static void gradients_of(int d_model, int n_head, int n_kv_head, int attention,
                         int micro_rows)
{
    struct run_spec s = spec_of(d_model, n_head, n_kv_head);
    struct engine_options o = {};
    struct model *m = cpu_model(&s);
    size_t n = model_size(m);
    const struct param_table *table = model_table(m);
    std::vector<float> want(n), got(n);
    std::vector<int32_t> tokens = batch_of(&s, 1, 3);
    std::vector<double> nats(3), alone(3), cpu(3);
    struct engine *g;
    struct err e = {};
    double sum;

    o.attention = attention;
    o.micro_rows = micro_rows;
    o.rows = 3;
    o.gang = 1;
    g = engine_of(&s, &o);
    check("the size of a block", api->size(g) == n);
    must(api->init(g, s.seed, &e), &e);
    must(api->eval(g, alone.data(), tokens.data(), 3, &e), &e);
    must(api->grad(g, nats.data(), tokens.data(), 3, 0.5f, 1, &e), &e);
    check("attention is as asked for", attention != ENGINE_ATTENTION_CUDNN ||
                                           (d_model / n_head) % 32 ||
                                           !api->note(g)[0]);
    must(api->get_grad(g, got.data(), &e), &e);
    model_eval(m, cpu.data(), tokens.data(), 3);
    model_grad(m, want.data(), &sum, tokens.data(), 3, 0.5f);
    check_close("losses", nats, cpu, 2e-3);
    check_close("losses alone", alone, nats, 1e-9);
    for (int i = 0; i < table->n; i++) {
        const struct param *p = &table->param[i];
        double error = relative(&got[p->offset], &want[p->offset],
                                static_cast<size_t>(p->rows * p->cols));

        if (!(error < 0.02)) {
            printf("FAIL gradient of %s: relative error %g\n", p->name, error);
            failed();
        }
    }
    api->destroy(g);
    model_destroy(m);
}

static void gradients(void)
{
    gradients_of(64, 2, 2, ENGINE_ATTENTION_AUTO, 3);
    gradients_of(64, 2, 1, ENGINE_ATTENTION_AUTO, 2); /* the last is short */
    gradients_of(64, 2, 1, ENGINE_ATTENTION_MATERIALISED, 1);
    gradients_of(48, 6, 3, ENGINE_ATTENTION_AUTO, 3); /* head_dim 8 */
}

#ifdef LOGLOG_CUDNN
/* cuDNN in the place of flash: heads alone and in groups, a last micro-batch
 * that is short, as a graph and not; and against flash itself. */
static void cudnn(void)
{
    struct engine_trial t = {2, 41, 4, 2, 32, 1, 0, 0, 0, 0, {}, {}, 0};
    struct err e = {};

    gradients_of(64, 2, 2, ENGINE_ATTENTION_CUDNN, 3);
    gradients_of(64, 2, 1, ENGINE_ATTENTION_CUDNN, 1);
    gradients_of(64, 2, 1, ENGINE_ATTENTION_CUDNN, 2);
    must(api->try_cudnn(&t, &e), &e);
    check("cuDNN is what flash is",
          t.o < 0.01 && t.lse < 1e-5 && t.gradient < 0.02);
    check("and to the bit each time", t.repeats);
    printf("cuDNN: o, lse, gradient within %.1e %.1e %.1e of flash's\n", t.o,
           t.lse, t.gradient);
}
#endif

/* What cannot be had is a line, and training goes on by flash, or without. */
static void no_cudnn(void)
{
    static const struct {
        long version;
        int d_model;
        const char *says;
    } c[] = {
#ifdef LOGLOG_CUDNN
        {0, 64, "flash attention instead: there is no libcudnn.so.9"},
        {90000, 64, "instead: cuDNN 9.0.0 is too old: 9.10.2"},
        {91400, 64, "instead: this cuDNN wants seq_len a multiple of 128"},
        {92000, 48, "materialised attention instead: head_dim is not 8,"},
#else
        {0, 64, "flash attention instead: the plugin is built without it"},
#endif
    };

    for (const auto &x : c) {
        struct run_spec s = spec_of(x.d_model, 2, 1);
        struct engine_options o = {};
        struct engine *g;

#ifdef LOGLOG_CUDNN
        cuemu_set_cudnn(x.version);
#endif
        o.attention = ENGINE_ATTENTION_CUDNN;
        o.rows = o.gang = 1;
        g = engine_of(&s, &o);
        if (!strstr(api->note(g), x.says)) {
            printf("FAIL '%s' should be '%s'\n", api->note(g), x.says);
            failed();
        }
        api->destroy(g);
    }
#ifdef LOGLOG_CUDNN
    cuemu_set_cudnn(92000);
#endif
    gradients_of(48, 2, 1, ENGINE_ATTENTION_CUDNN, 3);
}

static void initial_weights(void)
{
    struct run_spec s = spec_of(64, 2, 1);
    struct engine_options o = {};
    struct model *m = cpu_model(&s);
    std::vector<float> got(model_size(m));
    struct engine *g;
    struct err e = {};

    o.rows = o.gang = 1;
    g = engine_of(&s, &o);
    must(api->init(g, s.seed, &e), &e);
    must(api->get(g, ENGINE_PARAMS, got.data(), &e), &e);
    check("init gives the weights of model_init, bit for bit",
          !memcmp(got.data(), model_params(m), got.size() * sizeof(float)));
    api->destroy(g);
    model_destroy(m);
}

/* ------------------------------------------------------------- training */

struct Curve {
    std::vector<double> loss, norm;
    std::vector<float> params;
};

/* A step of a member of a gang, which takes its part of the rows. */
static void train_step(Curve *c, struct engine *g, const struct run_spec *s,
                       int t, int member, int gang)
{
    int rows = static_cast<int>(s->batch_tokens / s->model.seq_len);
    std::vector<int32_t> tokens = batch_of(s, t, rows);
    int mine = rows / gang;
    std::vector<double> nats(static_cast<size_t>(mine));
    const int32_t *from =
        tokens.data() + member * mine * (s->model.seq_len + 1);
    double norm, loss = 0;
    struct err e = {};
    float scale = 1 / static_cast<float>(s->batch_tokens);

    must(api->zero(g, &e), &e);
    must(api->grad(g, nats.data(), from, mine, scale, 1, &e), &e);
    must(api->norm(g, &norm, &e), &e);
    must(api->step(g, s->optim.lr,
                   norm > s->optim.clip ? s->optim.clip / norm : 1, t, &e),
         &e);
    for (double x : nats)
        loss += x;
    c->loss.push_back(loss / static_cast<double>(s->batch_tokens));
    c->norm.push_back(norm);
}

static Curve device_curve(const struct run_spec *s, int steps,
                          struct engine_options o)
{
    struct engine *g;
    struct err e = {};
    Curve c;

    g = engine_of(s, &o);
    must(api->init(g, s->seed, &e), &e);
    for (int t = 1; t <= steps; t++)
        train_step(&c, g, s, t, o.member, o.gang);
    c.params.resize(api->size(g));
    must(api->get(g, ENGINE_PARAMS, c.params.data(), &e), &e);
    api->destroy(g);
    return c;
}

static Curve cpu_curve(const struct run_spec *s, int steps)
{
    struct model *m = cpu_model(s);
    size_t n = model_size(m), blocks = (n + ADAMW_BLOCK - 1) / ADAMW_BLOCK;
    std::vector<float> am(n), av(n);
    std::vector<double> square(blocks);
    Curve c;

    for (int t = 1; t <= steps; t++) {
        std::vector<float> grad(n);
        int rows = static_cast<int>(s->batch_tokens / s->model.seq_len);
        std::vector<int32_t> tokens = batch_of(s, t, rows);
        double nats = 0, sum = 0, norm;

        model_grad(m, grad.data(), &nats, tokens.data(), rows,
                   1 / static_cast<float>(s->batch_tokens));
        grad_block_norms(square.data(), grad.data(), n, 0, blocks);
        for (double x : square)
            sum += x;
        norm = sqrt(sum);
        adamw_update(model_params(m), am.data(), av.data(), grad.data(),
                     model_table(m), &s->optim, s->optim.lr,
                     norm > s->optim.clip ? s->optim.clip / norm : 1, t, 0, n);
        model_refresh(m);
        c.loss.push_back(nats / static_cast<double>(s->batch_tokens));
        c.norm.push_back(norm);
    }
    c.params.assign(model_params(m), model_params(m) + n);
    model_destroy(m);
    return c;
}

static void compare(const char *what, const Curve &got, const Curve &want)
{
    double worst = 0, worst_norm = 0;

    for (size_t i = 0; i < want.loss.size(); i++) {
        double d = fabs(got.loss[i] - want.loss[i]);
        double r = fabs(got.norm[i] / want.norm[i] - 1);

        worst = d <= worst ? worst : d;
        worst_norm = r <= worst_norm ? worst_norm : r;
    }
    printf("%s: loss %.3f to %.3f, largest difference %.4f; norm %.3f\n", what,
           want.loss[0], want.loss.back(), worst, worst_norm);
    if (!(worst < 0.02) || !(worst_norm < 0.1)) {
        printf("FAIL %s\n", what);
        failed();
    }
}

static const char *const policy_name[POLICIES] = {"lazy", "eager", "mixed",
                                                  "random"};

static void fifty_steps(void)
{
    struct run_spec s = spec_of(64, 2, 1);
    struct engine_options o = {};
    Curve want, first;

    /* Few, long sequences: the emulator pays for whole tiles. */
    s.model.seq_len = 40;
    s.batch_tokens = 2 * 40;
    want = cpu_curve(&s, 50);
    o.rows = 2;
    o.micro_rows = 1;
    o.gang = 1;
    check("it learns", want.loss.back() < want.loss[0] - 1);
    for (int p = 0; p < POLICIES; p++) {
        Curve got;

        cuemu_set_policy(p);
        cuemu_set_order(p % ORDERS, 5);
        got = device_curve(&s, 50, o);
        compare(policy_name[p], got, want);
        if (p == 0)
            first = got;
        check("no policy changes a bit",
              got.loss == first.loss && got.params == first.params);
    }
    cuemu_set_policy(POLICY_LAZY);
    cuemu_set_order(ORDER_FORWARD, 1);
}

/* ---------------------------------------------------------------- gangs */

#define GANG_STEPS 6

/* What the members of a gang leave for the test to read. */
struct Board {
    double loss[4][GANG_STEPS], norm[4][GANG_STEPS];
    unsigned long long hash[4]; /* of the gathered weights */
    char text[512];             /* of the error of member 0 */
};

static Board *board_create(void)
{
    void *p = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        abort();
    return static_cast<Board *>(p);
}

static unsigned long long hash_of(const std::vector<float> &v)
{
    unsigned long long h = 1469598103934665603ull;
    const unsigned char *p = reinterpret_cast<const unsigned char *>(v.data());

    for (size_t i = 0; i < v.size() * sizeof(float); i++)
        h = (h ^ p[i]) * 1099511628211ull;
    return h;
}

/* Call f(member) in a process each; how many ended well. */
static int members(int gang, const std::function<void(int)> &f)
{
    int good = 0, status;

    fflush(stdout);
    for (int m = 0; m < gang; m++)
        if (!fork()) {
            f(m);
            fflush(stdout);
            _exit(failures != 0);
        }
    for (int m = 0; m < gang; m++)
        good += wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status);
    return good;
}

static struct engine_options member_of(int gang, int member)
{
    struct engine_options o = {};

    o.rows = 4 / gang;
    o.micro_rows = 1;
    o.gang = gang;
    o.member = member;
    o.peer_seconds = 20;
    return o;
}

static void gang_of(const struct run_spec &s, int gang, int policy,
                    const Curve &want)
{
    Board *b = board_create();
    struct err e = {};
    Curve got;
    int good;

    must(api->gang_id(gang_id, &e), &e);
    good = members(gang, [&](int m) {
        Curve c;

        cuemu_set_policy(policy);
        c = device_curve(&s, GANG_STEPS, member_of(gang, m));
        for (size_t t = 0; t < GANG_STEPS; t++) {
            b->loss[m][t] = c.loss[t];
            b->norm[m][t] = c.norm[t];
        }
        b->hash[m] = hash_of(c.params);
    });
    check("every member of the gang ends well", good == gang);
    for (int t = 0; t < GANG_STEPS; t++) {
        double loss = 0;

        for (int m = 0; m < gang; m++) {
            loss += b->loss[m][t];
            check("the norm is the same for all",
                  b->norm[m][t] == b->norm[0][t]);
        }
        got.loss.push_back(loss);
        got.norm.push_back(b->norm[0][t]);
    }
    for (int m = 1; m < gang; m++)
        check("all members gather the same weights", b->hash[m] == b->hash[0]);
    compare(policy_name[policy], got, want);
    munmap(b, sizeof *b);
}

static void gangs(void)
{
    struct run_spec s = spec_of(64, 2, 1);
    Curve want = device_curve(&s, GANG_STEPS, member_of(1, 0));

    for (int p = 0; p < POLICIES; p++)
        gang_of(s, 2, p, want);
    gang_of(s, 4, POLICY_MIXED, want);
    /* widths of which members have unequal shares: buckets with a tail */
    s = spec_of(72, 3, 3);
    want = device_curve(&s, GANG_STEPS, member_of(1, 0));
    gang_of(s, 2, POLICY_MIXED, want);
}

/* Member 1 is gone before the first gradient: member 0 says so and ends. */
static void dead_member(void)
{
    struct run_spec s = spec_of(64, 2, 1);
    Board *b = board_create();
    struct err e = {};

    must(api->gang_id(gang_id, &e), &e);
    members(2, [&](int m) {
        struct engine_options o = member_of(2, m);
        struct engine *g;
        std::vector<int32_t> tokens = batch_of(&s, 1, 2);
        double nats[2];

        cuemu_set_peer_seconds(1);
        g = engine_of(&s, &o);
        if (m == 0 && api->grad(g, nats, tokens.data(), 2, 1, 1, &e))
            snprintf(b->text, sizeof b->text, "%s", e.text);
        api->destroy(g);
    });
    check("a dead member is an error of the others",
          strstr(b->text, "a member of the gang is gone") != nullptr);
    munmap(b, sizeof *b);
}

/* The links of member 0 are broken: it waits for a second and gives up, at the
 * meeting of the gang or in a step, and can be closed. */
static void wedged(int joined)
{
    struct run_spec s = spec_of(64, 2, 1);
    Board *b = board_create();
    struct err e = {};
    int good;

    must(api->gang_id(gang_id, &e), &e);
    good = members(2, [&](int m) {
        struct engine_options o = member_of(2, m);
        std::vector<int32_t> tokens = batch_of(&s, 1, 2);
        struct engine *g;
        double nats[2];

        cuemu_set_peer_seconds(2);
        o.peer_seconds = 1;
        must(api->create(&g, &s, &o, &e), &e);
        cuemu_set_wedged(m == 0 && !joined);
        if (api->join(g, gang_id, &e)) {
            if (m == 0)
                snprintf(b->text, sizeof b->text, "%s", e.text);
        } else {
            cuemu_set_wedged(m == 0);
            if (m == 0 && api->grad(g, nats, tokens.data(), 2, 1, 1, &e))
                snprintf(b->text, sizeof b->text, "%s", e.text);
        }
        if (m)
            api->give_up(g);
        api->destroy(g);
    });
    check("both members of a wedged gang end", good == 2);
    if (!strstr(b->text, "gave no sign for 1 s"))
        printf("said: %s\n", b->text);
    check("a wedged gang is an error in time",
          strstr(b->text, "gave no sign for 1 s") != nullptr);
    munmap(b, sizeof *b);
}

static void wedged_gangs(void)
{
    wedged(1);
    wedged(0);
}

/* A gang of two, and a batch of one row: the other member has none. */
static void no_rows(void)
{
    struct run_spec s = spec_of(64, 2, 1);
    Board *b = board_create();
    struct err e = {};
    double alone, norm;
    struct engine *g;
    std::vector<int32_t> tokens = batch_of(&s, 1, 1);
    struct engine_options o = member_of(1, 0);

    g = engine_of(&s, &o);
    must(api->init(g, s.seed, &e), &e);
    must(api->grad(g, &alone, tokens.data(), 1, 1, 1, &e), &e);
    must(api->norm(g, &norm, &e), &e);
    api->destroy(g);
    must(api->gang_id(gang_id, &e), &e);
    members(2, [&](int m) {
        struct engine_options p = member_of(2, m);
        struct engine *h;
        double nats;

        p.rows = m == 0;
        h = engine_of(&s, &p);
        must(api->init(h, s.seed, &e), &e);
        must(api->grad(h, &nats, tokens.data(), p.rows, 1, 1, &e), &e);
        must(api->norm(h, &b->norm[m][0], &e), &e);
        api->destroy(h);
    });
    check("a member without rows takes part",
          fabs(b->norm[0][0] / norm - 1) < 1e-6 &&
              b->norm[1][0] == b->norm[0][0]);
    munmap(b, sizeof *b);
}

/* ------------------------------------------------------- state and errors */

/* Ten steps in one go are five steps, out, in, and five more. */
static void state_in_and_out(void)
{
    struct run_spec s = spec_of(64, 2, 2);
    struct engine_options o = {};
    Curve whole, parts;
    struct err e = {};
    struct engine *g;
    std::vector<float> all;

    o.rows = 4;
    o.gang = 1;
    whole = device_curve(&s, 10, o);
    g = engine_of(&s, &o);
    must(api->init(g, s.seed, &e), &e);
    for (int t = 1; t <= 5; t++)
        train_step(&parts, g, &s, t, 0, 1);
    all.resize(3 * api->size(g)); /* of a gang of one: every piece */
    must(api->save(g, all.data(), &e), &e);
    api->destroy(g);
    g = engine_of(&s, &o);
    must(api->load(g, all.data(), &e), &e);
    for (int t = 6; t <= 10; t++)
        train_step(&parts, g, &s, t, 0, 1);
    check("a state that went out and in again is the same",
          parts.loss == whole.loss);
    api->destroy(g);
}

static unsigned long long graphs(void)
{
    struct cuemu_counts c;

    cuemu_get_counts(&c);
    return c.graphs;
}

/* A micro-batch as one launch is the same as kernel by kernel, with tokens of
 * every step's own, the last one being smaller, and another scale. */
static void as_a_graph(void)
{
    struct run_spec s = spec_of(64, 2, 1);
    struct engine_options o = {};
    std::vector<int32_t> tokens = batch_of(&s, 9, 4);
    std::vector<double> nats(4);
    std::vector<float> grad[2];
    unsigned long long before = graphs(), n;
    struct err e = {};
    Curve plain, one;

    o.rows = 4;
    o.micro_rows = 1;
    o.gang = 1;
    o.no_graphs = 1;
    plain = device_curve(&s, 4, o);
    check("no graph was asked for", graphs() == before);
    o.no_graphs = 0;
    one = device_curve(&s, 4, o);
    check("all but the first micro-batch are graphs",
          graphs() - before == 4 * 4 - 1);
    check("a graph does the same",
          plain.loss == one.loss && plain.params == one.params);
    before = graphs();
    o.micro_rows = 3;
    one = device_curve(&s, 3, o);
    n = graphs() - before;
    check("only whole micro-batches are", n == 2);
    for (int i = 0; i < 2; i++) { /* a scale that changes */
        struct engine *g;

        o.no_graphs = i;
        o.micro_rows = 1;
        g = engine_of(&s, &o);
        must(api->init(g, s.seed, &e), &e);
        for (float scale : {1.0f, 1.0f, 0.25f})
            must(api->grad(g, nats.data(), tokens.data(), 4, scale, 1, &e), &e);
        grad[i].resize(api->size(g));
        must(api->get_grad(g, grad[i].data(), &e), &e);
        api->destroy(g);
    }
    check("another scale is another graph", grad[0] == grad[1]);
}

/* To compute activations again changes no bit. */
static void recomputed(void)
{
    struct run_spec s = spec_of(64, 2, 1);
    struct engine_options o = {};
    Curve kept, again;

    o.rows = 4;
    o.micro_rows = 3;
    o.gang = 1;
    o.recompute = ENGINE_RECOMPUTE_NEVER;
    s.model.n_layer = 3;
    kept = device_curve(&s, 4, o);
    o.recompute = ENGINE_RECOMPUTE_ALWAYS;
    again = device_curve(&s, 4, o);
    check("activations computed again are the same",
          kept.loss == again.loss && kept.params == again.params);
    check(
        "and need less memory", api->bytes_needed(&s, &o, 3) < [&] {
            o.recompute = ENGINE_RECOMPUTE_NEVER;
            return api->bytes_needed(&s, &o, 3);
        }());
}

static int refused(const struct run_spec *s, const struct engine_options *o,
                   enum err_class cls, const char *text)
{
    struct engine *g = nullptr;
    struct err e = {};

    if (!api->create(&g, s, o, &e)) {
        api->destroy(g);
        return 0;
    }
    if (e.cls != cls || !strstr(e.text, text))
        printf("said: %s\n", e.text);
    return e.cls == cls && strstr(e.text, text);
}

static void what_does_not_fit(void)
{
    struct run_spec s = spec_of(64, 2, 2);
    struct engine_options o = {};
    size_t two, three;
    struct engine *g;

    o.rows = 4;
    o.gang = 1;
    o.recompute = ENGINE_RECOMPUTE_NEVER;
    two = api->bytes_needed(&s, &o, 2);
    three = api->bytes_needed(&s, &o, 3);
    check("more rows need more", three > two);
    cuemu_set_memory((two + three) / 2 * 100 / 95);
    g = engine_of(&s, &o);
    check("as many rows as fit", api->micro_rows(g) == 2);
    check("the estimate is what is used, but for a call's own",
          cuemu_memory_used() <= two);
    api->destroy(g);
    o.micro_rows = 4;
    check("too many rows", refused(&s, &o, ERR_ENV, "2 would fit"));
    o.recompute = ENGINE_RECOMPUTE_AUTO;
    o.micro_rows = 3;
    g = engine_of(&s, &o);
    check("activations are computed again to make room",
          api->recomputes(g) == 1 && api->micro_rows(g) == 3);
    api->destroy(g);
    cuemu_set_memory(1 << 20);
    o.micro_rows = 0;
    check("no memory for one", refused(&s, &o, ERR_ENV, "one sequence needs"));
    cuemu_set_memory(0);
    check("everything was freed", cuemu_memory_used() == 0);
}

static void what_cannot_be(void)
{
    struct run_spec s = spec_of(64, 2, 2), t;
    struct engine_options o = {};
    struct engine *g;
    struct err e = {};
    std::vector<int32_t> tokens = batch_of(&s, 1, 1);
    double nats;

    o.rows = o.gang = 1;
    check("another ABI", !loglog_engine(ENGINE_ABI + 1));
    t = s;
    t.dtype = DTYPE_FP32;
    check("fp32", refused(&t, &o, ERR_USAGE, "bf16"));
    t = s;
    t.model.d_ff = 90;
    check("d_ff of 90", refused(&t, &o, ERR_USAGE, "multiples of 8"));
    t = spec_of(48, 2, 2); /* heads of 24 */
    t.model.seq_len = 20;
    check("seq_len of 20", refused(&t, &o, ERR_USAGE, "seq_len"));
    o.device = 3;
    check("device 3", refused(&s, &o, ERR_ENV, "device"));
    o.device = 0;
    g = engine_of(&s, &o);
    tokens[3] = 101;
    check("a token outside the vocabulary",
          api->eval(g, &nats, tokens.data(), 1, &e) == -1 &&
              strstr(e.text, "token 101"));
    api->destroy(g);
}

static const Test tests[] = {
    {"initial_weights", initial_weights},
    {"gradients", gradients},
#ifdef LOGLOG_CUDNN
    {"cudnn", cudnn},
#endif
    {"no_cudnn", no_cudnn},
    {"fifty_steps", fifty_steps},
    {"gangs", gangs},
    {"dead_member", dead_member},
    {"wedged_gangs", wedged_gangs},
    {"no_rows", no_rows},
    {"state_in_and_out", state_in_and_out},
    {"recomputed", recomputed},
    {"as_a_graph", as_a_graph},
    {"what_does_not_fit", what_does_not_fit},
    {"what_cannot_be", what_cannot_be},
};

int main(int argc, char **argv)
{
    api = loglog_engine(ENGINE_ABI);
    return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
