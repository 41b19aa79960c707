/* packing: a temporary directory, documents in it, and packing them; for the
 * tests of pack. */
#ifndef LOGLOG_TESTS_PACKING_H
#define LOGLOG_TESTS_PACKING_H

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/unit/trainer/shell.h"
#include "trainer/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DOCUMENTS 200

/* *state is the name of a temporary directory. */
static inline int set_up(void **state)
{
    char *dir = xstrdup("/tmp/test_pack.XXXXXX");

    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static inline int tear_down(void **state)
{
    run("rm -rf %s", (char *)*state);
    free(*state);
    return 0;
}

static inline const char *in(const char *dir, const char *name)
{
    static char path[4][256];
    static int next;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", dir, name);
    return path[next];
}

static inline void put(const char *dir, const char *name, const void *text,
                       size_t n)
{
    const char *path = in(dir, name);
    char *copy = xstrdup(path);
    struct err e;

    *strrchr(copy, '/') = '\0';
    assert_int_equal(file_mkdirs(copy, &e), 0);
    assert_int_equal(file_write(path, text, n, &e), 0);
    free(copy);
}

/* Document d: "d<number> " and random letters, n in all. */
static inline void letters(struct str *s, int d, size_t n)
{
    struct rng rng = {.seed = (uint64_t)d, .stream = RNG_TEST};

    str_clear(s);
    str_addf(s, "d%d ", d);
    while (s->len < n) {
        char c = (char)('a' + (char)rng_next_below(&rng, 26));
        str_add_n(s, &c, 1);
    }
}

/* 200 documents of 100 to 299 bytes as files DIR/sub/gNN/dNNN; `order` names
 * them in another order. */
static inline void put_documents(const char *dir, const char *sub, int order)
{
    struct str s;

    str_init(&s);
    for (int d = 0; d < DOCUMENTS; d++) {
        char name[64];
        int at = order ? DOCUMENTS - 1 - d : d;

        letters(&s, d, 100 + (size_t)d);
        snprintf(name, sizeof name, "%s/g%02d/d%03d", sub, at / 10, at);
        put(dir, name, s.text, s.len);
    }
    str_release(&s);
}

static inline int pack_dir(struct pack_report *r, struct pack_options *o,
                           const char *from, const char *to, struct err *e)
{
    struct pack_input input = {from, PACK_TRAIN};
    int rc;

    o->input = &input;
    o->n_input = 1;
    o->out = to;
    rc = pack(r, o, e);
    o->input = NULL;
    return rc;
}

static inline void pack_ok(struct pack_report *r, struct pack_options *o,
                           const char *from, const char *to)
{
    struct err e;

    if (pack_dir(r, o, from, to, &e))
        fail_msg("%s", e.text);
}

#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

#endif
