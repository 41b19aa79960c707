/* params: see params.h.  The order of the table is the order of the flat block
 * and of every checkpoint: embedding, layers, last norm, head. */
#include "trainer/params.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGN 16 /* floats: one 64-byte line */

struct entry {
    const char *name;
    enum param_kind kind;
    int64_t rows, cols;
    int out; /* an output projection: init_depth scales it */
};

static void add(struct param_table *t, const struct model_spec *m,
                const struct entry *e, int64_t layer)
{
    struct param *p = &t->param[t->n++];
    double std = e->kind == PARAM_NORM ? 0 : m->init_std;

    if (e->out && m->init_depth)
        std /= sqrt(2.0 * (double)m->n_layer);
    if (layer < 0)
        snprintf(p->name, sizeof p->name, "%s", e->name);
    else
        snprintf(p->name, sizeof p->name, "layer%d.%s", (int)layer, e->name);
    p->kind = e->kind;
    p->offset = t->size;
    p->rows = e->rows;
    p->cols = e->cols;
    p->init_std = (float)std;
    p->decay = e->kind == PARAM_MATRIX;
    t->size += ((size_t)(e->rows * e->cols) + ALIGN - 1) / ALIGN * ALIGN;
}

void params_init(struct param_table *t, const struct model_spec *m)
{
    int64_t c = m->d_model, f = m->d_ff, v = m->vocab;
    int64_t hd = c / m->n_head, qkv = (m->n_head + 2 * m->n_kv_head) * hd;
    const struct entry embed = {"embed", PARAM_EMBEDDING, v, c, 0};
    /* clang-format off */
    const struct entry layer[] = {
        {"norm1", PARAM_NORM,   1,     c, 0},
        {"wqkv",  PARAM_MATRIX, qkv,   c, 0},
        {"wo",    PARAM_MATRIX, c,     c, 1},
        {"norm2", PARAM_NORM,   1,     c, 0},
        {"wgu",   PARAM_MATRIX, 2 * f, c, 0},
        {"wdown", PARAM_MATRIX, c,     f, 1},
    };
    /* clang-format on */
    const struct entry norm = {"norm", PARAM_NORM, 1, c, 0};
    const struct entry head = {"head", PARAM_MATRIX, v, c, 0};

    t->n = 0;
    t->size = 0;
    t->param =
        xcalloc(3 + ARRAY_LEN(layer) * (size_t)m->n_layer, sizeof *t->param);
    add(t, m, &embed, -1);
    for (int64_t l = 0; l < m->n_layer; l++)
        for (size_t i = 0; i < ARRAY_LEN(layer); i++)
            add(t, m, &layer[i], l);
    add(t, m, &norm, -1);
    add(t, m, &head, -1);
}

void params_release(struct param_table *t)
{
    free(t->param);
    *t = (struct param_table){0};
}
