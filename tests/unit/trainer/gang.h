/* gang: runs for the tests of trainer/train.h.  A directory of its own, packed
 * sets of made-up text, and train() called by forked members that report
 * through shared memory. */
#ifndef LOGLOG_TESTS_GANG_H
#define LOGLOG_TESTS_GANG_H

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "sweep/spec.h"
#include "trainer/checkpoint.h"
#include "trainer/comm.h"
#include "trainer/pack_write.h"
#include "trainer/shard.h"
#include "trainer/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GANG_MAX 8
#define GANG_STEPS 256

/* Some tests ask for more memory than there is; sanitizers must say no as
 * malloc does instead of stopping the test. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* --- a directory --- */

static inline void temp_dir(char path[PATH_MAX])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(path, PATH_MAX, "%s/loglog-test-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(path));
}

static inline int remove_entry(const char *path, const struct stat *st,
                               int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void remove_dir(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* How many names in the directory end in `suffix`. */
static inline int count_files(const char *dir, const char *suffix)
{
    DIR *d = opendir(dir);
    struct dirent *f;
    int n = 0;

    while (d && (f = readdir(d))) {
        size_t len = strlen(f->d_name), s = strlen(suffix);
        n += f->d_name[0] != '.' && len >= s &&
             !strcmp(f->d_name + len - s, suffix);
    }
    if (d)
        closedir(d);
    return n;
}

/* Nothing of these tests lies in the shared memory of the machine. */
static inline int count_shared(void)
{
    char mine[64];
    DIR *d = opendir("/dev/shm");
    struct dirent *f;
    int n = 0;

    snprintf(mine, sizeof mine, "loglog-test-%ld-", (long)getpid());
    while (d && (f = readdir(d)))
        n += !strncmp(f->d_name, mine, strlen(mine));
    if (d)
        closedir(d);
    return n;
}

/* --- data and runs --- */

/* `bytes` bytes of text in one document, the mark included: words of a small
 * vocabulary, so that there is something to learn. */
static inline void make_set(const char *dir, int64_t bytes, uint64_t seed)
{
    static const char *const word[] = {"loss ",    "falls ", "with ", "more ",
                                       "compute ", "and ",   "data ", "\n"};
    struct rng r = {seed, RNG_TEST, 0};
    char *text = xmalloc((size_t)bytes);
    struct pack_writer w;
    int64_t n = 0;

    while (n < bytes - 1)
        for (const char *p = word[rng_next_below(&r, ARRAY_LEN(word))];
             *p && n < bytes - 1; p++)
            text[n++] = *p;
    assert_int_equal(pack_writer_open(&w, dir, 1 << 30, NULL, NULL), 0);
    assert_int_equal(pack_writer_add(&w, (uint8_t *)text, (size_t)n, NULL), 0);
    assert_int_equal(pack_writer_finish(&w, "{}", NULL), 0);
    pack_writer_release(&w);
    free(text);
}

/* A model of about 10,000 parameters; 8 sequences of 16 tokens a step. */
static inline struct run_spec tiny_spec(void)
{
    struct run_spec s;

    spec_defaults(&s);
    s.model.seq_len = 16;
    s.model.d_model = 16;
    s.model.n_layer = 2;
    s.model.n_head = 2;
    s.model.n_kv_head = 1;
    s.model.d_ff = 48;
    s.model.init_std = 0.05;
    s.optim.lr = 3e-3;
    s.schedule.warmup_steps = 4;
    s.batch_tokens = 8 * 16;
    s.steps = 24;
    s.eval_every = 10;
    return s;
}

/* Where the runs of one test program happen. */
struct place {
    char dir[PATH_MAX / 2];
    char train[PATH_MAX], valid[PATH_MAX], other[PATH_MAX];
    int n; /* checkpoint directories given out */
};

static inline void place_init(struct place *p)
{
    char dir[PATH_MAX];
    int status;
    pid_t pid;

    temp_dir(dir);
    snprintf(p->dir, sizeof p->dir, "%.*s", (int)sizeof p->dir - 1, dir);
    snprintf(p->train, sizeof p->train, "%s/train", p->dir);
    snprintf(p->valid, sizeof p->valid, "%s/valid", p->dir);
    snprintf(p->other, sizeof p->other, "%s/other", p->dir);
    p->n = 0;
    /* In a child: LOGLOG_FAULT is read once in a process, at the first point
     * it passes, and what is forked later wants to read its own. */
    fflush(NULL);
    if (!(pid = fork())) {
        make_set(p->train, 20001, 1);
        make_set(p->valid, 1501, 2);
        make_set(p->other, 700, 3);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static inline void place_release(struct place *p)
{
    remove_dir(p->dir);
}

static inline char *new_dir(struct place *p)
{
    char *dir = xmalloc(PATH_MAX);

    snprintf(dir, PATH_MAX, "%s/ckpt-%d", p->dir, p->n++);
    return dir;
}

static inline struct train_env env_at(const struct place *p, const char *dir)
{
    return (struct train_env){
        .train_path = p->train,
        .n_valid = 2,
        .valid_path = {p->valid, p->other},
        .checkpoint_dir = dir,
        .gang = 1,
        .peer_seconds = 5,
        .run_id = 7,
        .attempt = 1,
    };
}

/* --- what a gang reports --- */

struct member_end {
    int rc; /* of train(); INT_MIN: it did not return */
    struct err err;
    struct train_result result;
    int status;     /* of waitpid */
    double seconds; /* from the start to the end of the process */
};

struct record {
    int64_t started; /* the step it began with; -1: it did not begin */
    int n_step, n_eval, n_ckpt;
    struct step_report step[GANG_STEPS];
    struct eval_report eval[GANG_STEPS];
    int64_t ckpt[GANG_STEPS];
    int64_t stop_after; /* on_step answers 1 at this step; 0: never */
    int64_t stop_eval;  /* on_eval does at this step */
    struct member_end end[GANG_MAX];
};

static inline struct record *record_new(void)
{
    struct record *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(r, MAP_FAILED);
    r->started = -1;
    return r;
}

static inline void record_free(struct record *r)
{
    munmap(r, sizeof *r);
}

static inline int record_start(void *ctx, int64_t step)
{
    ((struct record *)ctx)->started = step;
    return 0;
}

static inline int record_step(void *ctx, const struct step_report *s)
{
    struct record *r = ctx;

    if (r->n_step < GANG_STEPS)
        r->step[r->n_step++] = *s;
    return r->stop_after && s->step >= r->stop_after;
}

static inline int record_eval(void *ctx, const struct eval_report *s)
{
    struct record *r = ctx;

    if (r->n_eval < GANG_STEPS)
        r->eval[r->n_eval++] = *s;
    return r->stop_eval && s->step == r->stop_eval;
}

static inline int record_checkpoint(void *ctx, int64_t step, double seconds)
{
    struct record *r = ctx;

    (void)seconds;
    if (r->n_ckpt < GANG_STEPS)
        r->ckpt[r->n_ckpt++] = step;
    return 0;
}

static inline double clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void be_member(struct record *r, const struct run_spec *spec,
                             struct train_env env, int m)
{
    const struct observer obs = {.ctx = r,
                                 .on_step = record_step,
                                 .on_eval = record_eval,
                                 .on_checkpoint = record_checkpoint,
                                 .on_start = record_start};

    env.member = m;
    r->end[m].rc = train(&r->end[m].result, spec, &env, &obs, &r->end[m].err);
}

/* Start a gang of env->gang, with LOGLOG_FAULT=fault if not NULL. */
static inline void gang_start(pid_t pid[GANG_MAX], struct record *r,
                              const struct run_spec *spec,
                              const struct train_env *env, const char *fault)
{
    static int count;
    char name[64];

    snprintf(name, sizeof name, "loglog-test-%ld-%d", (long)getpid(), count++);
    for (int m = 0; m < env->gang; m++) {
        struct train_env mine = *env;

        if (env->gang > 1 && !env->rendezvous)
            mine.rendezvous = name;
        r->end[m].rc = INT_MIN;
        fflush(NULL);
        pid[m] = fork();
        assert_true(pid[m] >= 0);
        if (pid[m] == 0) {
            if (fault)
                setenv("LOGLOG_FAULT", fault, 1);
            be_member(r, spec, mine, m);
            _exit(0);
        }
    }
}

/* Wait until all have ended; those that have not after `seconds` are killed,
 * and the test fails. */
static inline void gang_wait(const pid_t pid[GANG_MAX], struct record *r,
                             int gang, double seconds)
{
    double begun = clock_now();
    int left = gang, late = 0, ended[GANG_MAX] = {0};

    while (left) {
        for (int m = 0; m < gang; m++)
            if (!ended[m] &&
                waitpid(pid[m], &r->end[m].status, WNOHANG) == pid[m]) {
                r->end[m].seconds = clock_now() - begun;
                ended[m] = 1;
                left--;
            }
        if (left && !late && clock_now() - begun > seconds) {
            late = 1;
            for (int m = 0; m < gang; m++)
                if (!ended[m])
                    kill(pid[m], SIGKILL);
        }
        usleep(1000);
    }
    assert_false(late);
}

static inline void gang_run(struct record *r, const struct run_spec *spec,
                            const struct train_env *env, const char *fault)
{
    pid_t pid[GANG_MAX] = {0};

    gang_start(pid, r, spec, env, fault);
    gang_wait(pid, r, env->gang, 60);
}

/* All members returned 0 with this end. */
static inline void assert_end(const struct record *r, int gang,
                              enum train_end end)
{
    for (int m = 0; m < gang; m++) {
        if (r->end[m].rc)
            print_error("member %d: %s\n", m, r->end[m].err.text);
        assert_int_equal(r->end[m].rc, 0);
        assert_int_equal(r->end[m].result.end, end);
    }
}

/* --- comparing --- */

/* The bytes of two files are the same. */
static inline int same_file(const char *a, const char *b)
{
    struct file_map x, y;
    int same;

    assert_int_equal(file_map(&x, a, NULL), 0);
    assert_int_equal(file_map(&y, b, NULL), 0);
    same = x.len == y.len && !memcmp(x.data, y.data, x.len);
    file_unmap(&x);
    file_unmap(&y);
    return same;
}

/* The final checkpoints of a run in two directories are the same bytes. */
static inline void assert_same_weights(const char *a, const char *b,
                                       const struct run_spec *spec)
{
    char x[PATH_MAX], y[PATH_MAX];

    assert_int_equal(
        checkpoint_path(x, a, spec, spec->steps, CHECKPOINT_LAST, NULL), 0);
    assert_int_equal(
        checkpoint_path(y, b, spec, spec->steps, CHECKPOINT_LAST, NULL), 0);
    assert_true(same_file(x, y));
}

/* Every step and evaluation of `part` is in `whole` with the same bits. */
static inline void assert_same_curve(const struct record *part,
                                     const struct record *whole)
{
    for (int i = 0; i < part->n_step; i++) {
        const struct step_report *a = &part->step[i];
        const struct step_report *b = &whole->step[a->step - 1];

        assert_int_equal(a->step, b->step);
        assert_int_equal(a->tokens, b->tokens);
        assert_memory_equal(&a->loss, &b->loss, sizeof a->loss);
        assert_memory_equal(&a->lr, &b->lr, sizeof a->lr);
        assert_memory_equal(&a->grad_norm, &b->grad_norm, sizeof a->grad_norm);
    }
    for (int i = 0; i < part->n_eval; i++) {
        const struct eval_report *a = &part->eval[i], *b = NULL;

        for (int k = 0; k < whole->n_eval; k++)
            if (whole->eval[k].step == a->step && whole->eval[k].set == a->set)
                b = &whole->eval[k];
        assert_non_null(b);
        assert_int_equal(a->eval_tokens, b->eval_tokens);
        assert_memory_equal(&a->loss, &b->loss, sizeof a->loss);
        assert_memory_equal(&a->bpb, &b->bpb, sizeof a->bpb);
    }
}

#endif
