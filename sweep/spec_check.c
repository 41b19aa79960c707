/* spec_check: is a run possible at all?  Ranges come from the table of keys,
 * relations between keys from the functions below. */
#include "sweep/spec_keys.h"

static int check_range(const struct key *k, double v, struct err *e)
{
    char a[STR_DOUBLE], b[STR_DOUBLE];

    if (k->open & OPEN_LO ? !(v > k->lo) : !(v >= k->lo))
        return err_set(
            e, ERR_USAGE, "%s: %s: %s %s expected", k->name, str_double(a, v),
            k->open & OPEN_LO ? "more than" : "at least", str_double(b, k->lo));
    if (k->open & OPEN_HI ? !(v < k->hi) : !(v <= k->hi))
        return err_set(
            e, ERR_USAGE, "%s: %s: %s %s expected", k->name, str_double(a, v),
            k->open & OPEN_HI ? "less than" : "at most", str_double(b, k->hi));
    return 0;
}

static int check_key(const struct run_spec *s, const struct key *k,
                     struct err *e)
{
    const void *p = spec_field(s, k);
    int64_t n = 0;

    switch (k->kind) {
    case KEY_INT:
        return check_range(k, (double)*(const int64_t *)p, e);
    case KEY_REAL:
        return check_range(k, *(const double *)p, e);
    case KEY_ENUM:
        while (k->names[n])
            n++;
        if (*(const int64_t *)p < 0 || *(const int64_t *)p >= n)
            return err_set(e, ERR_USAGE, "%s: no such value", k->name);
        return 0;
    case KEY_STAGES:
        if (s->schedule.n_stage < 0 || s->schedule.n_stage > SPEC_STAGES)
            return err_set(e, ERR_USAGE, "%s: at most %d values expected",
                           k->name, SPEC_STAGES);
        for (int64_t i = 0; i < s->schedule.n_stage; i++)
            if (check_range(k, ((const double *)p)[i], e))
                return -1;
        return 0;
    case KEY_DATA:
        return 0;
    }
    return 0;
}

int spec_check_key(const struct run_spec *s, const char *key, struct err *e)
{
    const struct key *k = spec_find(key);

    return k ? check_key(s, k, e) : spec_unknown(key, e);
}

static int check_model(const struct model_spec *m, struct err *e)
{
    if (m->d_model % m->n_head)
        return err_set(e, ERR_USAGE,
                       "model.n_head: %lld does not divide d_model %lld",
                       (long long)m->n_head, (long long)m->d_model);
    if (m->d_model / m->n_head % 2)
        return err_set(e, ERR_USAGE,
                       "model.n_head: a head has %lld channels; rotary "
                       "embeddings need an even number",
                       (long long)(m->d_model / m->n_head));
    if (m->n_head % m->n_kv_head)
        return err_set(e, ERR_USAGE,
                       "model.n_kv_head: %lld does not divide n_head %lld",
                       (long long)m->n_kv_head, (long long)m->n_head);
    return 0;
}

static int check_schedule(const struct schedule_spec *c, int64_t steps,
                          struct err *e)
{
    if (c->warmup_steps > steps)
        return err_set(e, ERR_USAGE,
                       "schedule.warmup_steps: %lld is more than the %lld "
                       "steps of the run",
                       (long long)c->warmup_steps, (long long)steps);
    for (int64_t i = 1; i < c->n_stage; i++)
        if (!(c->at[i] > c->at[i - 1]))
            return err_set(e, ERR_USAGE,
                           "schedule.at: increasing fractions expected");
    if ((c->name == SCHED_WSD_LINEAR || c->name == SCHED_WSD_SQRT) &&
        !(c->decay > 0))
        return err_set(e, ERR_USAGE,
                       "schedule.decay: more than 0 expected for %s",
                       schedule_name(c->name));
    return 0;
}

int spec_check(const struct run_spec *s, struct err *e)
{
    for (size_t i = 0; i < SPEC_KEYS; i++)
        if (check_key(s, &spec_keys[i], e))
            return -1;
    if (check_model(&s->model, e) || check_schedule(&s->schedule, s->steps, e))
        return -1;
    if (s->batch_tokens % s->model.seq_len)
        return err_set(e, ERR_USAGE,
                       "batch_tokens: %lld is not a multiple of seq_len %lld",
                       (long long)s->batch_tokens, (long long)s->model.seq_len);
    if ((double)s->steps * (double)s->batch_tokens > 0x1p53)
        return err_set(e, ERR_USAGE, "steps: more than 2^53 tokens");
    return 0;
}
