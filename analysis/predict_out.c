/* predict_out: a prediction as JSON, as lines for people, as a table row. */
#include "analysis/fit_json.h"
#include "analysis/predict.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void set(json_t *o, const char *key, double v)
{
    json_object_set_new(o, key, fit_json_number(v));
}

static void set_int(json_t *o, const char *key, int64_t v)
{
    json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *pair(double lo, double hi)
{
    json_t *a = json_array();

    json_array_append_new(a, fit_json_number(lo));
    json_array_append_new(a, fit_json_number(hi));
    return a;
}

/* Lines of text, onto a list of JSON. */
static void add_lines(json_t *list, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (n)
            json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == '\n');
    }
}

static json_t *opinions(const struct prediction *p)
{
    json_t *list = json_array();

    for (int i = 0; i < p->n_opinion; i++) {
        const struct opinion *q = &p->opinion[i];
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(q->name));
        set(o, p->metric_bpb ? "bpb" : "loss", q->bpb);
        json_object_set_new(o, p->metric_bpb ? "bpb_ci" : "loss_ci",
                            pair(q->lo, q->hi));
        set(o, "M", q->M);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *over_trained(const struct prediction *p)
{
    json_t *list = json_array();

    for (int i = 0; i < p->n_over; i++) {
        json_t *o = json_object();
        set(o, "smaller_by", p->over[i].factor);
        set(o, "excess_same_flops", p->over[i].excess);
        set(o, "flops_same_loss", p->over[i].flops);
        set(o, "tokens_per_param", p->over[i].tokens_per_param);
        json_array_append_new(list, o);
    }
    return list;
}

static void set_model(json_t *o, const struct prediction *p)
{
    const struct model_spec *m = &p->choice.model;

    set_int(o, "n_layer", m->n_layer);
    set_int(o, "d_model", m->d_model);
    set_int(o, "n_head", m->n_head);
    set_int(o, "n_kv_head", m->n_kv_head);
    set_int(o, "d_ff", m->d_ff);
    set_int(o, "vocab", m->vocab);
    set_int(o, "seq_len", m->seq_len);
}

static void set_loss(json_t *o, const struct prediction *p)
{
    set(o, "bpb", p->metric_bpb ? p->bpb : NAN);
    json_object_set_new(o, "bpb_ci",
                        p->metric_bpb ? pair(p->lo, p->hi) : json_null());
    if (!p->metric_bpb) {
        set(o, "loss", p->bpb);
        json_object_set_new(o, "loss_ci", pair(p->lo, p->hi));
    }
    set(o, "level", p->level);
    set(o, "decades", p->decades);
}

char *prediction_json(const struct prediction *p)
{
    json_t *o = json_object(), *id = json_object(), *how = json_array();
    char *text;

    set(o, "flops", p->flops);
    set(o, "M", p->M);
    set(o, "N", p->N);
    set(o, "D", p->D);
    set_int(o, "batch_tokens", p->choice.batch_tokens);
    set(o, "lr", p->choice.lr);
    set_model(o, p);
    set_loss(o, p);
    set(o, "M_opt", p->M_opt);
    set(o, "D_opt", p->D_opt);
    set(o, "params", p->params);
    set(o, "tokens_per_param", p->tokens_per_param);
    set(o, "batch_tokens_law", p->batch_tokens);
    set(o, "excess_at_half_M", p->half_M);
    set(o, "excess_at_double_M", p->double_M);
    json_object_set_new(o, "over_trained", over_trained(p));
    json_object_set_new(o, "surfaces", pair(p->surfaces_lo, p->surfaces_hi));
    json_object_set_new(id, "allocation",
                        json_boolean(p->allocation_identified));
    json_object_set_new(id, "hyper", json_boolean(p->hyper_identified));
    json_object_set_new(id, "loss", json_boolean(p->loss_identified));
    json_object_set_new(o, "identified", id);
    json_object_set_new(o, "refused",
                        p->refused[0] ? json_string(p->refused) : json_null());
    json_object_set_new(o, "settle",
                        p->settle[0] ? json_string(p->settle) : json_null());
    set(o, "settle_flops", p->settle[0] ? p->settle_flops : NAN);
    add_lines(how, p->how.text);
    add_lines(how, p->here.text);
    json_object_set_new(o, "how", how);
    json_object_set_new(o, "opinions", opinions(p));
    text = json_dumps(o, JSON_REAL_PRECISION(17));
    BUG_ON(!text);
    json_decref(o);
    return text;
}

static void print_opinions(struct str *out, const struct prediction *p)
{
    for (int i = 0; i < p->n_opinion; i++) {
        const struct opinion *q = &p->opinion[i];
        str_addf(out, "  %-26s", q->name);
        if (isfinite(q->bpb))
            str_addf(out, " %.4f", q->bpb);
        if (isfinite(q->lo))
            str_addf(out, " (%.4f to %.4f)", q->lo, q->hi);
        if (isfinite(q->M))
            str_addf(out, "  M %.4g", q->M);
        if (!isfinite(q->bpb) && !isfinite(q->M))
            str_add(out, " not identified");
        str_add(out, "\n");
    }
}

/* The cost of being off, and of over-training on purpose. */
static void print_off(struct str *out, const struct prediction *p)
{
    if (isfinite(p->half_M))
        str_addf(out,
                 "  off     half the best size +%.2f %%, twice it +%.2f %% at "
                 "the same compute\n",
                 100 * p->half_M, 100 * p->double_M);
    for (int i = 0; i < p->n_over; i++) {
        const struct over_trained *o = &p->over[i];
        str_addf(out, "  over    1/%-2.0f of the best size: +%.2f %%, or ",
                 o->factor, 100 * o->excess);
        if (isfinite(o->flops))
            str_addf(out,
                     "%.3g times the compute for the same loss (%.3g "
                     "tokens/parameter)\n",
                     o->flops, o->tokens_per_param);
        else
            str_add(out, "never the same loss\n");
    }
}

static void print_lines(struct str *out, const char *t)
{
    while (*t) {
        size_t n = strcspn(t, "\n");
        if (n)
            str_addf(out, "  %.*s\n", (int)n, t);
        t += n + (t[n] == '\n');
    }
}

void prediction_print(struct str *out, const struct prediction *p)
{
    const struct model_spec *m = &p->choice.model;

    str_addf(out, "prediction for %.4g flops, %.2f decades %s the runs\n",
             p->flops, fabs(p->decades), p->decades > 0 ? "beyond" : "within");
    str_addf(out,
             "  model   %lld layers, width %lld, %lld heads, d_ff %lld; "
             "%.4g parameters\n",
             (long long)m->n_layer, (long long)m->d_model, (long long)m->n_head,
             (long long)m->d_ff, p->params);
    str_addf(out,
             "  scale   M %.4g flops/token (M_opt %.4g), N %.4g, D %.4g "
             "tokens, %.3g tokens/parameter\n",
             p->M, p->M_opt, p->N, p->D, p->tokens_per_param);
    str_addf(out, "  train   batch %lld tokens, lr %.4g, %.0f steps\n",
             (long long)p->choice.batch_tokens, p->lr,
             p->D / (double)p->choice.batch_tokens);
    if (p->loss_identified)
        str_addf(out, "  %s %.4f, %.0f %% interval of one run %.4f to %.4f\n",
                 p->metric_bpb ? "bpb    " : "loss   ", p->bpb, 100 * p->level,
                 p->lo, p->hi);
    else
        str_addf(out, "  loss    refused: %s\n", p->refused);
    print_off(out, p);
    str_add(out, "opinions\n");
    print_opinions(out, p);
    if (isfinite(p->surfaces_lo))
        str_addf(out, "  the surfaces differ by %.2f %%\n",
                 100 * (p->surfaces_hi / p->surfaces_lo - 1));
    str_add(out, "how\n");
    print_lines(out, p->how.text);
    print_lines(out, p->here.text);
    if (p->settle[0])
        str_addf(out, "to settle what is not identified\n  %s\n", p->settle);
}

void prediction_row(struct str *out, const struct prediction *p)
{
    if (!p) {
        str_addf(out, "%-9s %7s %9s %9s %9s %8s %10s %9s %9s %8s  %s\n",
                 "flops", "decades", "M", "N", "D", "tok/par", "shape", "batch",
                 "lr", "surfaces", "loss (interval)");
        return;
    }
    str_addf(out,
             "%-9.3g %7.2f %9.3g %9.3g %9.3g %8.3g %4lldx%-5lld %9.4g "
             "%9.3g ",
             p->flops, p->decades, p->M, p->N, p->D, p->tokens_per_param,
             (long long)p->choice.model.n_layer,
             (long long)p->choice.model.d_model, (double)p->choice.batch_tokens,
             p->lr);
    if (isfinite(p->surfaces_lo))
        str_addf(out, "%6.2f %%  ",
                 100 * (p->surfaces_hi / p->surfaces_lo - 1));
    else
        str_addf(out, "%8s  ", "-");
    if (p->loss_identified)
        str_addf(out, "%.4f (%.4f to %.4f)%s\n", p->bpb, p->lo, p->hi,
                 p->stretched ? "*" : "");
    else
        str_add(out, "refused\n");
}
