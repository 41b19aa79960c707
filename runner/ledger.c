/* ledger: see ledger.h. */
#include "runner/ledger.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void ledger_init(struct ledger *l, struct store *db)
{
    memset(l, 0, sizeof *l);
    l->db = db;
}

void ledger_release(struct ledger *l)
{
    free(l->step);
    free(l->eval);
    free(l->position);
    memset(l, 0, sizeof *l);
}

static size_t rows(const struct ledger *l)
{
    return l->n_step + l->n_eval + l->n_position;
}

static void begin(struct ledger *l)
{
    if (!rows(l))
        l->since = clock_now();
}

void ledger_steps(struct ledger *l, const struct msg_steps *m)
{
    begin(l);
    l->step = mem_grow(l->step, &l->cap_step, l->n_step + (size_t)m->n,
                       sizeof *l->step);
    for (int64_t i = 0; i < m->n; i++) {
        const struct step_report *r = &m->step[i];
        l->step[l->n_step++] =
            (struct db_step){m->run,  m->attempt, r->step,      r->tokens,
                             r->loss, r->lr,      r->grad_norm, r->seconds};
    }
}

void ledger_eval(struct ledger *l, const struct msg_eval *m, const char *set)
{
    const struct eval_report *r = &m->eval;

    begin(l);
    l->eval = mem_grow(l->eval, &l->cap_eval, l->n_eval + 1, sizeof *l->eval);
    l->eval[l->n_eval++] =
        (struct db_eval){m->run,  m->attempt, r->step,    r->tokens,     set,
                         r->loss, r->bpb,     r->seconds, r->eval_tokens};
}

void ledger_position(struct ledger *l, const struct msg_position *m,
                     const char *set)
{
    const struct position_report *r = &m->position;

    begin(l);
    l->position = mem_grow(l->position, &l->cap_position, l->n_position + 1,
                           sizeof *l->position);
    l->position[l->n_position++] =
        (struct db_position){m->run,  m->attempt,     r->step, set,   r->first,
                             r->last, r->eval_tokens, r->loss, r->bpb};
}

int ledger_flush(struct ledger *l, struct err *e)
{
    if (!rows(l))
        return 0;
    if (store_begin(l->db, e))
        return -1;
    if (db_steps_add(l->db, l->step, l->n_step, e) ||
        db_evals_add(l->db, l->eval, l->n_eval, e) ||
        db_positions_add(l->db, l->position, l->n_position, e)) {
        store_rollback(l->db);
        return -1;
    }
    if (store_commit(l->db, e))
        return -1;
    l->rows += (int64_t)rows(l);
    l->n_step = l->n_eval = l->n_position = 0;
    return 0;
}

int ledger_tick(struct ledger *l, struct err *e)
{
    if (!rows(l) ||
        (rows(l) < LEDGER_ROWS && clock_now() - l->since < LEDGER_SECONDS))
        return 0;
    return ledger_flush(l, e);
}
