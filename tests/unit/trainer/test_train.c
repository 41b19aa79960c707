/* train: a run gives the same bits whoever computes it and however often it is
 * interrupted. */
#include "tests/unit/trainer/gang.h"

#include "sweep/schedule.h"
#include "trainer/adamw.h"
#include "trainer/batches.h"
#include "trainer/model.h"

static struct place place;

static int setup(void **state)
{
    (void)state;
    place_init(&place);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    place_release(&place);
    return 0;
}

/* The whole run by one process, its last checkpoint kept in *dir. */
static struct record *whole_run(const struct run_spec *spec, char **dir)
{
    struct record *r = record_new();
    struct train_env env;

    *dir = new_dir(&place);
    env = env_at(&place, *dir);
    env.keep_checkpoint = 1;
    gang_run(r, spec, &env, NULL);
    assert_end(r, 1, TRAIN_DONE);
    return r;
}

static void a_run_reports_every_step_and_learns(void **state)
{
    struct run_spec spec = tiny_spec();
    const int eval_at[] = {10, 20, 24};
    char *dir;
    struct record *r = whole_run(&spec, &dir);
    const struct train_result *result = &r->end[0].result;

    (void)state;
    assert_int_equal(r->started, 0);
    assert_int_equal(r->n_step, 24);
    for (int i = 0; i < 24; i++) {
        assert_int_equal(r->step[i].step, i + 1);
        assert_int_equal(r->step[i].tokens, (i + 1) * 128);
        assert_true(r->step[i].grad_norm > 0);
    }
    /* two sets at 10, 20 and the end */
    assert_int_equal(r->n_eval, 6);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(r->eval[i].step, eval_at[i / 2]);
        assert_int_equal(r->eval[i].set, i % 2);
    }
    assert_true(fabs(r->step[0].loss - log(256)) < 0.1);
    assert_true(r->step[23].loss < r->step[0].loss - 0.5);
    assert_true(r->eval[4].loss < r->eval[0].loss);
    assert_true(result->loss == r->eval[4].loss);
    assert_true(result->bpb == r->eval[4].bpb);
    assert_int_equal(result->steps, 24);
    assert_int_equal(result->tokens, 24 * 128);
    assert_true(fabs(result->epochs - 24 * 8 / 1250.0) < 1e-12);
    record_free(r);
    free(dir);
}

static void the_rate_is_the_schedules(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir;
    struct record *r = whole_run(&spec, &dir);
    const struct {
        int step;
        double lr;
    } want[] = {{1, 0.25},   {4, 1},      {20, 1},
                {21, 0.316}, {22, 0.316}, {23, 0.1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(fabs(r->step[want[i].step - 1].lr / 3e-3 - want[i].lr) <
                    1e-12);
    record_free(r);
    free(dir);
}

/* The sum of the gradients of rows [from, from + rows) of step t: halves of
 * halves, down to an eighth of the batch. */
static void plain_gradient(float *grad, double *nats, struct model *m,
                           const struct batches *b, int64_t t, int64_t from,
                           int64_t rows)
{
    size_t n = model_size(m);
    int64_t T = b->seq_len;

    memset(grad, 0, n * sizeof *grad);
    if (rows == b->rows / 8) {
        int32_t *tokens = xmalloc((size_t)(rows * (T + 1)) * sizeof *tokens);
        batches_read(tokens, b, t, from, rows);
        model_grad(m, grad, nats, tokens, rows, 1 / (float)(b->rows * T));
        free(tokens);
    } else {
        float *half = mem_tensor(n * sizeof *half);
        double more;
        plain_gradient(grad, nats, m, b, t, from, rows / 2);
        plain_gradient(half, &more, m, b, t, from + rows / 2, rows / 2);
        for (size_t i = 0; i < n; i++)
            grad[i] += half[i];
        *nats += more;
        mem_tensor_free(half);
    }
}

/* The whole of training in one loop, with nothing shared and nothing saved;
 * params, m, v are what is left.  Returns how many steps were clipped. */
static int plain_training(float *block[CHECKPOINT_BLOCKS],
                          const struct run_spec *s, struct model *model)
{
    size_t n = model_size(model), n_block = (n + ADAMW_BLOCK - 1) / ADAMW_BLOCK;
    float *grad = mem_tensor(n * sizeof *grad);
    double *sum = xcalloc(n_block, sizeof *sum);
    struct shard_set *set;
    struct batches b;
    int clipped = 0;

    assert_int_equal(shard_open(&set, place.train, NULL), 0);
    assert_int_equal(batches_init(&b, set, s, NULL), 0);
    model_init(model, s->seed);
    for (int64_t t = 1; t <= s->steps; t++) {
        double nats, square = 0, scale = 1;
        plain_gradient(grad, &nats, model, &b, t, 0, b.rows);
        grad_block_norms(sum, grad, n, 0, n_block);
        for (size_t k = 0; k < n_block; k++)
            square += sum[k];
        if (sqrt(square) > s->optim.clip) {
            scale = s->optim.clip / sqrt(square);
            clipped++;
        }
        adamw_update(block[BLOCK_PARAMS], block[BLOCK_M], block[BLOCK_V], grad,
                     model_table(model), &s->optim,
                     schedule_lr(&s->schedule, s->optim.lr, t, s->steps), scale,
                     t, 0, n);
        model_refresh(model);
    }
    shard_close(set);
    mem_tensor_free(grad);
    free(sum);
    return clipped;
}

static void it_is_the_plain_loop(void **state)
{
    struct run_spec spec = tiny_spec();
    float *block[CHECKPOINT_BLOCKS];
    char path[PATH_MAX], *dir;
    struct checkpoint c;
    struct model *m;
    struct record *r;
    int clipped;

    (void)state;
    spec.batch_tokens = 16 * 16; /* two sequences a leaf */
    spec.optim.clip = 1.2;       /* bites on some of the steps */
    r = whole_run(&spec, &dir);
    assert_int_equal(model_create(&m, &spec, NULL), 0);
    block[BLOCK_PARAMS] = model_params(m);
    block[BLOCK_M] = mem_tensor(model_size(m) * sizeof(float));
    block[BLOCK_V] = mem_tensor(model_size(m) * sizeof(float));
    clipped = plain_training(block, &spec, m);
    assert_true(clipped > 0 && clipped < spec.steps);
    checkpoint_path(path, dir, &spec, spec.steps, CHECKPOINT_LAST, NULL);
    assert_int_equal(checkpoint_open(&c, path, NULL), 0);
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        assert_memory_equal(c.extent->block[b], block[b],
                            model_size(m) * sizeof(float));
    checkpoint_close(&c);
    mem_tensor_free(block[BLOCK_M]);
    mem_tensor_free(block[BLOCK_V]);
    model_destroy(m);
    record_free(r);
    free(dir);
}

/* Also gangs that do not divide the 8 leaves, or have more members than a
 * batch has. */
static void any_gang_gives_the_same_bits(void **state)
{
    const int64_t rows[] = {8, 8, 8, 8, 8, 6, 1};
    const int gang[] = {2, 3, 4, 5, 8, 4, 2};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(gang); i++) {
        struct run_spec spec = tiny_spec();
        struct record *one, *many = record_new();
        char *dir_one, *dir = new_dir(&place);
        struct train_env env = env_at(&place, dir);

        spec.batch_tokens = rows[i] * 16;
        one = whole_run(&spec, &dir_one);
        env.keep_checkpoint = 1;
        env.gang = gang[i];
        gang_run(many, &spec, &env, NULL);
        assert_end(many, gang[i], TRAIN_DONE);
        assert_int_equal(many->n_step, one->n_step);
        assert_int_equal(many->n_eval, one->n_eval);
        assert_same_curve(many, one);
        assert_same_weights(dir, dir_one, &spec);
        for (int m = 0; m < gang[i]; m++)
            assert_memory_equal(&many->end[m].result.bpb,
                                &one->end[0].result.bpb, sizeof(double));
        assert_int_equal(count_shared(), 0);
        record_free(one);
        record_free(many);
        free(dir);
        free(dir_one);
    }
}

static void seeds_and_rates_change_the_result(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir, *dir2;
    struct record *a = whole_run(&spec, &dir), *b;

    (void)state;
    spec.seed = 2;
    b = whole_run(&spec, &dir2);
    assert_true(a->end[0].result.loss != b->end[0].result.loss);
    record_free(a);
    record_free(b);
    free(dir);
    free(dir2);
}

/* Stopped by its observer again and again, each time resumed by a gang of
 * another size. */
static void interrupted_and_resumed_is_uninterrupted(void **state)
{
    const int gang[] = {1, 2, 4, 3, 1, 8};
    struct run_spec spec = tiny_spec();
    char *dir_one, *dir = new_dir(&place);
    struct record *one = whole_run(&spec, &dir_one);
    struct train_env env = env_at(&place, dir);
    struct rng rng = {11, RNG_TEST, 0};
    enum train_end end = TRAIN_STOPPED;
    int64_t at = 0;

    (void)state;
    env.keep_checkpoint = 1;
    for (int i = 0; end != TRAIN_DONE; i++) {
        struct record *part = record_new();

        env.gang = gang[i % (int)ARRAY_LEN(gang)];
        env.attempt = i + 1;
        part->stop_after = at + 1 + (int64_t)rng_next_below(&rng, 7);
        end = part->stop_after > spec.steps ? TRAIN_DONE : TRAIN_STOPPED;
        gang_run(part, &spec, &env, NULL);
        assert_int_equal(part->started, at);
        assert_end(part, env.gang, end);
        assert_same_curve(part, one);
        at = part->end[0].result.steps;
        record_free(part);
    }
    assert_same_weights(dir, dir_one, &spec);
    record_free(one);
    free(dir);
    free(dir_one);
}

/* kill -9 at random steps with a checkpoint as often as possible: what is lost
 * is lost since the last one, and the end is the same. */
static void killed_and_resumed_is_uninterrupted(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir_one, *dir = new_dir(&place);
    struct record *one = whole_run(&spec, &dir_one);
    struct train_env env = env_at(&place, dir);
    int64_t safe = 0;

    (void)state;
    env.keep_checkpoint = 1;
    env.checkpoint_seconds = 1e-6;
    env.gang = 2;
    for (int kill_at = 5; kill_at <= 25; kill_at += 5) {
        struct record *part = record_new();
        char fault[64];

        snprintf(fault, sizeof fault, "child-slow:every,child-kill:step=%d",
                 kill_at);
        gang_run(part, &spec, &env, fault);
        assert_true(part->started >= safe);
        if (part->n_ckpt)
            safe = part->ckpt[part->n_ckpt - 1];
        assert_same_curve(part, one);
        if (kill_at == 25)
            assert_end(part, 2, TRAIN_DONE);
        else
            assert_true(WIFSIGNALED(part->end[0].status));
        record_free(part);
    }
    assert_true(safe > 0);
    assert_same_weights(dir, dir_one, &spec);
    assert_int_equal(count_files(dir, ".ckpt"), 1);
    record_free(one);
    free(dir);
    free(dir_one);
}

static volatile sig_atomic_t always = 1;

static void a_stop_before_the_first_step_is_a_checkpoint(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir = new_dir(&place);
    struct record *r = record_new();
    struct train_env env = env_at(&place, dir);

    (void)state;
    env.stop = &always;
    gang_run(r, &spec, &env, NULL);
    assert_end(r, 1, TRAIN_STOPPED);
    assert_int_equal(r->n_step, 0);
    assert_int_equal(r->n_ckpt, 1);
    assert_int_equal(count_files(dir, ".ckpt"), 1);
    record_free(r);
    free(dir);
}

/* ... but there is nothing to stop when the last evaluation is reported, or
 * the last step when nothing is evaluated. */
static void a_stop_behind_the_end_is_no_stop(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir = new_dir(&place);
    struct train_env env = env_at(&place, dir);

    (void)state;
    for (int with_valid = 0; with_valid < 2; with_valid++) {
        struct record *r = record_new();

        env.n_valid = with_valid ? 2 : 0;
        r->stop_after = with_valid ? 0 : spec.steps;
        r->stop_eval = spec.steps;
        gang_run(r, &spec, &env, NULL);
        assert_end(r, 1, TRAIN_DONE);
        assert_int_equal(r->n_eval, with_valid ? 6 : 0);
        assert_int_equal(isnan(r->end[0].result.bpb), !with_valid);
        record_free(r);
    }
    free(dir);
}

static void when_done_no_checkpoint_is_left(void **state)
{
    struct run_spec spec = tiny_spec();
    char *dir = new_dir(&place);
    struct record *r = record_new();
    struct train_env env = env_at(&place, dir);

    (void)state;
    env.checkpoint_seconds = 1e-6;
    gang_run(r, &spec, &env, "child-slow:every");
    assert_end(r, 1, TRAIN_DONE);
    assert_true(r->n_ckpt > 2);
    assert_int_equal(count_files(dir, ""), 0);
    record_free(r);
    free(dir);
}

static void unusable_inputs_are_refused(void **state)
{
    struct run_spec spec = tiny_spec(), s;
    struct train_env env = env_at(&place, NULL), bad;
    struct train_result r;
    struct err e;

    (void)state;
    bad = env;
    bad.train_path = "/nowhere";
    assert_int_equal(train(&r, &spec, &bad, NULL, &e), -1);
    assert_non_null(strstr(e.text, "/nowhere"));
    s = spec;
    strcpy(s.data, "0123456789abcdef");
    assert_int_equal(train(&r, &s, &env, NULL, &e), -1);
    assert_non_null(strstr(e.text, "planned for data 0123456789abcdef"));
    s = spec;
    s.model.vocab = 255;
    assert_int_equal(train(&r, &s, &env, NULL, &e), -1);
    assert_non_null(strstr(e.text, "vocabulary"));
    s = spec;
    s.model.seq_len = 4096; /* valid is shorter */
    s.batch_tokens = 4096;
    assert_int_equal(train(&r, &s, &env, NULL, &e), -1);
    assert_non_null(strstr(e.text, "valid"));
    s = spec;
    s.steps = 0;
    assert_int_equal(train(&r, &s, &env, NULL, &e), -1);
    bad = env;
    bad.gang = 2;
    assert_int_equal(train(&r, &spec, &bad, NULL, &e), -1);
}

static void what_does_not_fit_is_a_result(void **state)
{
    struct run_spec spec = tiny_spec();
    struct train_env env = env_at(&place, NULL);
    struct train_result r;

    (void)state;
    spec.model.d_model = 1 << 18;
    spec.model.n_head = 1 << 14;
    spec.model.n_kv_head = 1 << 14;
    spec.model.d_ff = 1 << 20;
    spec.model.n_layer = 512;
    assert_int_equal(train(&r, &spec, &env, NULL, NULL), 0);
    assert_int_equal(r.end, TRAIN_NO_MEMORY);
    assert_non_null(strstr(r.text, " PB"));
    assert_int_equal(r.steps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_reports_every_step_and_learns),
        cmocka_unit_test(the_rate_is_the_schedules),
        cmocka_unit_test(it_is_the_plain_loop),
        cmocka_unit_test(any_gang_gives_the_same_bits),
        cmocka_unit_test(seeds_and_rates_change_the_result),
        cmocka_unit_test(interrupted_and_resumed_is_uninterrupted),
        cmocka_unit_test(killed_and_resumed_is_uninterrupted),
        cmocka_unit_test(a_stop_before_the_first_step_is_a_checkpoint),
        cmocka_unit_test(a_stop_behind_the_end_is_no_stop),
        cmocka_unit_test(when_done_no_checkpoint_is_left),
        cmocka_unit_test(unusable_inputs_are_refused),
        cmocka_unit_test(what_does_not_fit_is_a_result),
    };

    return cmocka_run_group_tests_name("train", tests, setup, teardown);
}
