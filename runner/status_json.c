/* status_json: see status_json.h. */
#include "runner/status_json.h"

#include "base/mem.h"

#include <math.h>

static json_t *real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *text(const char *s)
{
    json_t *j = s[0] ? json_string(s) : json_null();

    return j ? j : json_string("(not UTF-8)");
}

static json_t *states(const int64_t runs[RUN_STATES])
{
    json_t *o = json_object();

    for (int i = 0; i < RUN_STATES; i++)
        json_object_set_new(o, run_state_name((enum run_state)i),
                            json_integer(runs[i]));
    return o;
}

static json_t *stages_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_stage; i++) {
        const struct status_stage *g = &s->stage[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
                      "s:o, s:o, s:o}",
                      "stage", text(g->name), "kind", text(g->kind), "state",
                      text(g->state), "reason", text(g->reason), "runs",
                      states(g->runs), "flops", real(g->flops), "flops_done",
                      real(g->flops_done), "best_bpb", real(g->best),
                      "eta_seconds", real(g->eta), "slot_seconds",
                      real(g->slot_seconds), "flops_shared", real(g->shared),
                      "flops_stopped", real(g->stopped)));
    }
    return list;
}

static json_t *best_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_best; i++) {
        const struct status_best *b = &s->best[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:I, s:o, s:o, s:I, s:I, s:o, s:I}", "stage",
                      text(b->stage), "budget", real(b->budget), "run",
                      (json_int_t)b->run, "bpb", real(b->bpb), "gap",
                      real(b->gap), "d_model", (json_int_t)b->d_model,
                      "n_layer", (json_int_t)b->n_layer, "lr", real(b->lr),
                      "batch_tokens", (json_int_t)b->batch));
    }
    return list;
}

static json_t *running_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_running; i++) {
        const struct status_running *r = &s->running[i];
        json_t *spark = json_array();
        for (int k = 0; k < STATUS_SPARK; k++)
            json_array_append_new(spark, real(r->spark[k]));
        json_array_append_new(
            list,
            json_pack(
                "{s:I, s:o, s:I, s:I, s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:I, "
                "s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o}",
                "run", (json_int_t)r->run, "stage", text(r->stage), "attempt",
                (json_int_t)r->attempt, "step", (json_int_t)r->step, "steps",
                (json_int_t)r->steps, "gang", r->gang, "loss", real(r->loss),
                "host", text(r->host), "since", text(r->since), "ranks",
                text(r->ranks), "device", text(r->device), "d_model",
                (json_int_t)r->d_model, "n_layer", (json_int_t)r->n_layer, "lr",
                real(r->lr), "batch_tokens", (json_int_t)r->batch, "budget",
                real(r->budget), "tokens_per_second", real(r->tokens_rate),
                "peak_share", real(r->flops_rate / r->peak), "eta_seconds",
                real(r->eta), "losses", spark));
    }
    return list;
}

static json_t *trouble_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_failure; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:I}", "state",
                                        text(s->failure[i].state), "reason",
                                        text(s->failure[i].reason), "n",
                                        (json_int_t)s->failure[i].n));
    return list;
}

static json_t *events_json(const struct status *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_event; i++) {
        const struct status_event *v = &s->event[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o}", "at", text(v->at), "kind",
                            text(v->kind), "run",
                            v->run ? json_integer(v->run) : json_null(), "text",
                            text(v->text)));
    }
    return list;
}

json_t *status_json(const struct status *s)
{
    json_t *o = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:o, s:o, s:o, s:o, "
        "s:o, s:o, s:o, s:o}",
        "study", text(s->study), "created", text(s->created), "writer",
        text(s->writer), "runs", states(s->runs), "flops", real(s->flops),
        "flops_done", real(s->flops_done), "flops_per_second", real(s->rate),
        "slots", s->slots, "of_slots", s->of_slots, "tokens_per_second",
        real(s->tokens_rate), "peak_share", real(s->peak_share), "eta_seconds",
        real(s->eta), "stages", stages_json(s), "best", best_json(s), "running",
        running_json(s), "failures", trouble_json(s), "events", events_json(s));

    BUG_ON(!o);
    return o;
}
