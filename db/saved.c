/* saved: the queries that ship with the program, by name; see query.h. */
#include "base/mem.h"
#include "db/query.h"

#include <string.h>

static const struct query_param within[] = {{"percent", "0.25"}};
static const struct query_param of_run[] = {{"run", ""}};
static const struct query_param early[] = {{"at", "0.4"}, {"margin", "0.05"}};
static const struct query_param price[] = {{"price", "0"}};
static const struct query_param last[] = {{"n", "20"}};
static const struct query_param jump[] = {{"run", ""}, {"above", "0.5"}};
static const struct query_param two_runs[] = {{"a", ""}, {"b", ""}};

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
    {"cost",
     "compute and time by stage, what was wasted; money at :price a slot hour",
     "SELECT study, stage, runs, results, attempts, failures, flops,\n"
     "       flops_wasted, flops_shared, flops_stopped,\n"
     "       round(slot_seconds / 3600, 3) AS slot_hours,\n"
     "       round(nullif(:price, 0) * slot_seconds / 3600, 2) AS money\n"
     "FROM cost ORDER BY study_id, stage_id", price, 1},
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
    {"early", "what early stops (docs/scheduling.md) would do to complete grids",
     "WITH rung AS (SELECT p.study_id, p.stage_id, p.stage, p.budget, p.bpb,\n"
     "    (SELECT avg(c.loss) FROM curves c WHERE c.run = p.run AND c.step\n"
     "     BETWEEN CAST(0.75 * :at * p.steps AS INTEGER) + 1\n"
     "     AND CAST(:at * p.steps + 0.999999 AS INTEGER)) AS loss\n"
     "  FROM points p JOIN stages g USING (study_id, stage_id)\n"
     "  WHERE g.kind = 'hyper' AND p.used),\n"
     "best AS (SELECT study_id, stage_id, budget, min(bpb) AS bpb,\n"
     "    min(loss) * (1.0025 + :margin) AS most FROM rung GROUP BY 1, 2, 3)\n"
     "SELECT r.stage, r.budget, count(*) AS runs,\n"
     "       sum(r.loss > b.most) AS stopped,\n"
     "       round(100 * (1 - :at) * avg(r.loss > b.most), 1) AS spared_percent,\n"
     "       round(100 * (min(iif(r.loss > b.most, NULL, r.bpb)) / b.bpb - 1), 4)\n"
     "         AS regret_percent,\n"
     "       sum(r.loss > b.most AND r.bpb <= 1.0025 * b.bpb) AS near_optimal_lost\n"
     "FROM rung r JOIN best b USING (study_id, stage_id, budget)\n"
     "GROUP BY r.study_id, r.stage_id, r.budget", early, 2},
    {"isoflop", "the profiles: bpb over model size at each budget",
     "SELECT p.budget, p.d_model, p.n_layer, p.M, p.D, p.lr, p.batch, p.seed,\n"
     "       p.bpb, p.used FROM points p\n"
     "JOIN stages g USING (study_id, stage_id) WHERE g.kind = 'isoflop'\n"
     "ORDER BY p.study_id, p.stage_id, p.budget, p.M, p.seed", NULL, 0},
    {"allocation",
     "how the best model and its tokens grow with the budget, and D / N",
     "SELECT o.stage, o.budget, o.M, o.D, o.N1, o.N2, o.D / o.N2 AS D_per_N2,\n"
     "       ln(o.M / lag(o.M) OVER b) / ln(o.budget / lag(o.budget) OVER b)\n"
     "         AS M_exponent, o.bpb\n"
     "FROM optima o JOIN stages g USING (study_id, stage_id)\n"
     "WHERE g.kind = 'isoflop'\n"
     "WINDOW b AS (PARTITION BY o.study_id, o.stage_id ORDER BY o.budget)\n"
     "ORDER BY o.study_id, o.stage_id, o.budget", NULL, 0},
    {"edges", "is the best of each budget inside of what was tried?",
     "SELECT o.stage, o.budget, g.kind,\n"
     "       round(o.lr, 9) AS lr, min(p.lr) AS lr_from, max(p.lr) AS lr_to,\n"
     "       o.batch, min(p.batch) AS batch_from, max(p.batch) AS batch_to,\n"
     "       o.d_model, min(p.d_model) AS d_from, max(p.d_model) AS d_to,\n"
     "       CASE g.kind WHEN 'hyper' THEN\n"
     "         o.lr > min(p.lr) AND o.lr < max(p.lr)\n"
     "         AND o.batch > min(p.batch) AND o.batch < max(p.batch)\n"
     "       ELSE o.M > min(p.M) AND o.M < max(p.M) END AS inside\n"
     "FROM optima o JOIN points p USING (study_id, stage_id, budget)\n"
     "JOIN stages g USING (study_id, stage_id)\n"
     "WHERE p.used AND g.kind IN ('hyper', 'isoflop')\n"
     "GROUP BY o.study_id, o.stage_id, o.budget", NULL, 0},
    {"ahead", "is the best further ahead than seeds differ?",
     "WITH cell AS (\n"
     "  SELECT count(*) AS n, avg(bpb) AS mean,\n"
     "         sum(bpb * bpb) - count(*) * avg(bpb) * avg(bpb) AS ss\n"
     "  FROM points WHERE used AND bpb IS NOT NULL\n"
     "  GROUP BY study_id, stage_id, budget, d_model, n_layer, lr, batch\n"
     "  HAVING count(*) > 1),\n"
     "noise AS (SELECT sum(n - 1) AS df,\n"
     "  sqrt(max(0, sum(ss / mean / mean)) / sum(n - 1)) AS sd FROM cell)\n"
     "SELECT o.stage, o.budget, o.bpb, round(o.gap * 100, 3) AS ahead_percent,\n"
     "       round(noise.sd * 100, 3) AS sd_percent, noise.df,\n"
     "       o.gap > sqrt(2) * noise.sd * CASE df WHEN 1 THEN 12.7\n"
     "         WHEN 2 THEN 4.3 WHEN 3 THEN 3.18 WHEN 4 THEN 2.78\n"
     "         WHEN 5 THEN 2.57 ELSE 1.96 + 2.6 / df END -- Student's t, 95 %\n"
     "         AS beyond_noise\n"
     "FROM optima o, noise ORDER BY o.study_id, o.stage_id, o.budget", NULL, 0},
    {"sets", "the best of each budget on every validation set",
     "SELECT o.stage, o.budget, o.d_model, v.valid_set, v.bpb,\n"
     "       round((v.bpb / o.bpb - 1) * 100, 2) AS above_percent\n"
     "FROM optima o JOIN evaluations v USING (run) WHERE v.step = o.steps\n"
     "ORDER BY o.study_id, o.stage_id, o.budget, v.valid_set", NULL, 0},
    {"positions", "the best of each budget by position in the window, on every set",
     "SELECT o.stage, o.budget, o.d_model, p.valid_set, p.first, p.last, p.loss,\n"
     "       p.bpb, p.eval_tokens\n"
     "FROM optima o JOIN positions p USING (run) WHERE p.step = o.steps\n"
     "ORDER BY o.study_id, o.stage_id, o.budget, p.valid_set, p.first", NULL, 0},
    {"waiting", "how long training waited for its data, by stage",
     "SELECT study, stage, round(train_seconds, 3) AS train_seconds,\n"
     "       round(data_seconds, 3) AS data_seconds,\n"
     "       round(100 * data_seconds / train_seconds, 3) AS waiting_percent\n"
     "FROM cost ORDER BY study_id, stage_id", NULL, 0},
    {"repeated", "validation and training loss of the runs with most epochs",
     "SELECT q.stage, q.budget, q.d_model, q.epochs, q.loss,\n"
     "       (SELECT avg(c.loss) FROM curves c WHERE c.run = q.run\n"
     "        AND c.step > 0.95 * q.steps) AS train_loss\n"
     "FROM (SELECT * FROM points WHERE used AND epochs IS NOT NULL\n"
     "      ORDER BY epochs DESC LIMIT :n) q ORDER BY q.epochs DESC", last, 1},
    {"excluded", "points that no fit uses, counted by their reason",
     "SELECT study, stage, why, count(*) AS runs, min(budget) AS from_budget,\n"
     "       max(budget) AS to_budget FROM points WHERE NOT used\n"
     "GROUP BY study_id, stage_id, why ORDER BY study_id, stage_id, runs DESC",
     NULL, 0},
    {"spikes", "steps of the run :run that are :above (0.5) nats above the 20 before",
     "SELECT step, loss, before, loss - before AS jump, grad_norm, attempt FROM (\n"
     "  SELECT step, loss, grad_norm, attempt, avg(loss) OVER\n"
     "    (ORDER BY step ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) AS before\n"
     "  FROM curves WHERE run = :run)\n"
     "WHERE loss > before + :above ORDER BY step", jump, 2},
    {"compare", "the loss curves of the runs :a and :b, in 40 parts",
     "SELECT part, min(step) AS from_step, max(step) AS to_step,\n"
     "       avg(loss) FILTER (WHERE run = :a) AS loss_a,\n"
     "       avg(loss) FILTER (WHERE run = :b) AS loss_b FROM (\n"
     "  SELECT run, step, loss, ntile(40) OVER (PARTITION BY run ORDER BY step)\n"
     "    AS part FROM curves WHERE run IN (:a, :b))\n"
     "GROUP BY part ORDER BY part", two_runs, 2},
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
    {"speed", "what runs reached, by shape: flops, share of the peak, tokens",
     "SELECT d_model, n_layer, vocab, seq_len, gang, device, count(*) AS n,\n"
     "       sum(flops_exact * (a.steps - a.resumed_step) / r.steps)\n"
     "         / sum(a.train_seconds) AS flops_per_second,\n"
     "       100 * sum(flops_exact * (a.steps - a.resumed_step) / r.steps)\n"
     "         / sum(a.train_seconds * a.gang * a.peak_flops) AS peak_percent,\n"
     "       sum(batch_tokens * (a.steps - a.resumed_step))\n"
     "         / sum(a.train_seconds) AS tokens_per_second\n"
     "FROM attempts a JOIN run r ON r.id = a.run WHERE a.train_seconds > 0\n"
     "GROUP BY d_model, n_layer, vocab, seq_len, gang, device\n"
     "ORDER BY d_model, gang", NULL, 0},
    {"provenance", "machines, builds and commits that made the numbers",
     "SELECT host, device, build, commit_id, count(*) AS attempts,\n"
     "       count(DISTINCT run) AS runs, min(started) AS first,\n"
     "       max(ended) AS last FROM attempts\n"
     "GROUP BY host, device, build, commit_id ORDER BY first", NULL, 0},
    {"endings", "how attempts ended, counted by their reason",
     "SELECT state, reason, count(*) AS attempts, count(DISTINCT run) AS runs,\n"
     "       max(ended) AS last FROM attempts GROUP BY state, reason\n"
     "ORDER BY attempts DESC", NULL, 0},
    {"attempts", "runs that needed more than one attempt",
     "SELECT run, attempt, state, reason, resumed_step, steps, host, started,\n"
     "       ended FROM attempts\n"
     "WHERE run IN (SELECT run FROM attempts WHERE attempt > 1)\n"
     "ORDER BY run, attempt", NULL, 0},
    {"latest", "the :n (20) runs that ended last",
     "SELECT * FROM (SELECT finished, study, stage, run, state, budget,\n"
     "       d_model, n_layer, lr, batch_tokens, bpb, train_seconds, reason\n"
     "FROM runs WHERE finished IS NOT NULL ORDER BY finished DESC LIMIT :n)\n"
     "ORDER BY finished", last, 1},
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
