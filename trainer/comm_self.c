/* comm_self: a gang of one.  Its arrays are its own and it always agrees. */
#include "trainer/comm_impl.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

struct self {
    struct comm comm;
    void **block;
    size_t n, cap;
};

static int self_alloc(struct comm_array *a, struct comm *c, struct err *e)
{
    struct self *s = (struct self *)c;
    char size[STR_DOUBLE];
    double bytes = (double)a->bound[1] * (double)a->element;

    a->data = bytes < 0x1p62 ? mem_tensor(a->bound[1] * a->element) : NULL;
    if (!a->data)
        return err_set(e, ERR_ENV, "no memory for %s", str_bytes(size, bytes));
    s->block = mem_grow(s->block, &s->cap, s->n + 1, sizeof *s->block);
    s->block[s->n++] = a->data;
    return 0;
}

static int self_share(struct comm *c, struct comm_array *const *a, int n,
                      struct err *e)
{
    (void)c, (void)a, (void)n, (void)e;
    return 0;
}

static int self_agree(struct comm *c, unsigned *bits, char *text, struct err *e)
{
    (void)c, (void)bits, (void)text, (void)e;
    return 0;
}

static void self_beat(struct comm *c)
{
    (void)c;
}

static void self_fail(struct comm *c, const struct err *e)
{
    (void)c, (void)e;
}

static void self_close(struct comm *c)
{
    struct self *s = (struct self *)c;

    for (size_t i = 0; i < s->n; i++)
        mem_tensor_free(s->block[i]);
    free(s->block);
    free(s);
}

static const struct comm_ops self_ops = {
    .alloc = self_alloc,
    .share = self_share,
    .agree = self_agree,
    .beat = self_beat,
    .fail = self_fail,
    .close = self_close,
};

int comm_self_open(struct comm **c, struct err *e)
{
    struct self *s = xcalloc(1, sizeof *s);

    (void)e;
    s->comm = (struct comm){.ops = &self_ops, .member = 0, .size = 1};
    *c = &s->comm;
    return 0;
}
