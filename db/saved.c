/* saved: the queries that ship with the program, by name; see query.h. */
#include "base/mem.h"
#include "db/query.h"

#include <string.h>

static const struct query_param within[] = {{"percent", "0.25"}};
static const struct query_param of_run[] = {{"run", ""}};
static const struct query_param last[] = {{"n", "20"}};

/* clang-format off */
const struct query_saved query_saved[] = {
    {"frontier", "the best run of each stage and budget",
     "SELECT study, stage, budget, d_model, n_layer, M, D, lr, batch, bpb,\n"
     "       round(gap * 100, 3) AS gap_percent, candidates\n"
     "FROM optima ORDER BY study_id, stage_id, budget", NULL, 0},
    {"near-optimal",
     "runs within :percent (0.25) of the best of their stage and budget",
     "SELECT p.stage, p.budget, p.lr, p.batch, p.d_model, p.n_layer, p.seed,\n"
     "       p.bpb, round((p.bpb / o.bpb - 1) * 100, 3) AS behind_percent\n"
     "FROM points p JOIN optima o USING (study_id, stage_id, budget)\n"
     "WHERE p.used AND p.bpb <= o.bpb * (1 + :percent / 100.0)\n"
     "ORDER BY p.study_id, p.stage_id, p.budget, p.bpb", within, 1},
    {"cost", "compute and time by stage, and what was wasted",
     "SELECT study, stage, runs, results, attempts, failures, flops,\n"
     "       flops_wasted, flops_shared, flops_stopped,\n"
     "       round(slot_seconds / 3600, 3) AS slot_hours\n"
     "FROM cost ORDER BY study_id, stage_id", NULL, 0},
    {"seed-noise", "spread of bpb over seeds, where a cell has several",
     "SELECT stage, budget, d_model, n_layer, lr, batch, count(*) AS seeds,\n"
     "       avg(bpb) AS bpb,\n"
     "       sqrt(max(0, (avg(bpb * bpb) - avg(bpb) * avg(bpb))\n"
     "            * count(*) / (count(*) - 1.0))) / avg(bpb) * 100\n"
     "         AS sd_percent\n"
     "FROM points WHERE used AND bpb IS NOT NULL\n"
     "GROUP BY study_id, stage_id, budget, d_model, n_layer, lr, batch\n"
     "HAVING count(*) > 1 ORDER BY study_id, stage_id, budget, d_model",
     NULL, 0},
    {"diverged", "runs that diverged, failed or were stopped, and why",
     "SELECT stage, run, state, reason, budget, d_model, lr, batch_tokens,\n"
     "       steps_done, steps, attempts FROM runs\n"
     "WHERE state IN ('diverged', 'failed', 'stopped')\n"
     "ORDER BY study_id, stage_id, ord", NULL, 0},
    {"curves", "loss by step of the run :run",
     "SELECT step, tokens, flops, loss, lr, grad_norm, seconds, attempt\n"
     "FROM curves WHERE run = :run ORDER BY step", of_run, 1},
    {"evaluations", "evaluations of the run :run",
     "SELECT step, tokens, valid_set, loss, bpb, seconds, attempt\n"
     "FROM evaluations WHERE run = :run ORDER BY step, valid_set", of_run, 1},
    {"grid", "bpb over batch and learning rate, best first",
     "SELECT stage, budget, batch, lr, count(*) AS seeds, avg(bpb) AS bpb,\n"
     "       min(used) AS used FROM points\n"
     "GROUP BY study_id, stage_id, budget, batch, lr\n"
     "ORDER BY study_id, stage_id, budget, bpb IS NULL, bpb", NULL, 0},
    {"isoflop", "the profiles: bpb over model size at each budget",
     "SELECT p.budget, p.d_model, p.n_layer, p.M, p.D, p.lr, p.batch, p.seed,\n"
     "       p.bpb, p.used FROM points p\n"
     "JOIN stages g USING (study_id, stage_id) WHERE g.kind = 'isoflop'\n"
     "ORDER BY p.study_id, p.stage_id, p.budget, p.M, p.seed", NULL, 0},
    {"predictions", "what was predicted beside what was measured",
     "SELECT study, flops, decades, d_model, n_layer, bpb, bpb_lo, bpb_hi,\n"
     "       runs, measured, round(error_percent, 3) AS error_percent, inside,\n"
     "       made FROM predictions ORDER BY study_id, flops", NULL, 0},
    {"fits", "the fits, and the reasons of those refused",
     "SELECT study, fit, at, law, method, n, identified, refused\n"
     "FROM fits ORDER BY fit", NULL, 0},
    {"flagged", "runs that may not be worth training, and why",
     "SELECT stage, run, flags, budget, d_model, batch_tokens, steps, epochs,\n"
     "       state, bpb FROM runs WHERE flags IS NOT NULL\n"
     "ORDER BY study_id, stage_id, ord", NULL, 0},
    {"speed", "what runs reached, by shape: flops and tokens a second",
     "SELECT d_model, n_layer, vocab, seq_len, gang, device, count(*) AS n,\n"
     "       sum(flops_exact * (a.steps - a.resumed_step) / r.steps)\n"
     "         / sum(a.train_seconds) AS flops_per_second,\n"
     "       sum(batch_tokens * (a.steps - a.resumed_step))\n"
     "         / sum(a.train_seconds) AS tokens_per_second\n"
     "FROM attempts a JOIN run r ON r.id = a.run WHERE a.train_seconds > 0\n"
     "GROUP BY d_model, n_layer, vocab, seq_len, gang, device\n"
     "ORDER BY d_model, gang", NULL, 0},
    {"attempts", "runs that needed more than one attempt",
     "SELECT run, attempt, state, reason, resumed_step, steps, host, started,\n"
     "       ended FROM attempts\n"
     "WHERE run IN (SELECT run FROM attempts WHERE attempt > 1)\n"
     "ORDER BY run, attempt", NULL, 0},
    {"events", "the last :n (20) events",
     "SELECT at, study, run, kind, text FROM\n"
     "(SELECT * FROM events ORDER BY event DESC LIMIT :n) ORDER BY event",
     last, 1},
    {"sessions", "who wrote to this file, and when",
     "SELECT * FROM sessions ORDER BY opened", NULL, 0},
    {"schema", "the views and their columns",
     "SELECT v.name AS view, c.name AS column\n"
     "FROM sqlite_schema v, pragma_table_info(v.name) c\n"
     "WHERE v.type = 'view' ORDER BY v.name, c.cid", NULL, 0},
    {NULL, NULL, NULL, NULL, 0},
};
/* clang-format on */

const struct query_saved *query_find(const char *name)
{
    for (const struct query_saved *q = query_saved; q->name; q++)
        if (!strcmp(q->name, name))
            return q;
    return NULL;
}
