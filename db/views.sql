-- The views of loglog: the stable way to ask.  docs/database.md explains every
-- column and has a cookbook.  They are made again whenever this text changed.

-- One row a study.
DROP VIEW IF EXISTS studies;
CREATE VIEW studies AS
SELECT s.name AS study, s.created, s.sha256, s.id AS study_id
FROM study s;

-- One row a stage.
DROP VIEW IF EXISTS stages;
CREATE VIEW stages AS
SELECT s.name AS study, g.name AS stage, g.kind, g.state, g.reason, g.changed,
       (SELECT count(*) FROM study_run x
        WHERE x.study = g.study AND x.stage = g.idx) AS runs,
       s.id AS study_id, g.idx AS stage_id
FROM stage g JOIN study s ON s.id = g.study;

-- One row for each run of each stage, in any state; runs that no stage asks for
-- any more have no study.
DROP VIEW IF EXISTS runs;
CREATE VIEW runs AS
SELECT s.name AS study, g.name AS stage, r.id AS run, r.state, r.reason,
       x.budget, r.flops, r.flops_exact, r.M, r.N1, r.N2, r.params, r.D,
       r.d_model, r.n_layer, r.n_head, r.n_kv_head, r.d_ff, r.vocab, r.seq_len,
       r.lr, r.batch_tokens, r.steps, r.schedule, r.seed, r.dtype, r.data,
       r.loss, r.bpb, r.steps_done, r.tokens_done, r.attempts, r.failures,
       (SELECT sum(a.train_seconds) FROM attempt a WHERE a.run = r.id)
         AS train_seconds,
       x.epochs, x.seconds AS predicted_seconds, x.extension,
       x.flagged AS flags, b.trunk, nullif(b.step, 0) AS trunk_step,
       r.added, r.finished, r.family, x.ord,
       x.study AS study_id, x.stage AS stage_id
FROM run r
LEFT JOIN branch b ON b.run = r.id
LEFT JOIN study_run x ON x.run = r.id
LEFT JOIN stage g ON g.study = x.study AND g.idx = x.stage
LEFT JOIN study s ON s.id = x.study;

-- One row for each finished run of each stage, and for each imported one: what
-- fits see.  used = 1 when it may enter a fit; otherwise why says what is
-- against it.  Runs of one cluster are not independent of each other: they took
-- their first steps together, or their source says so.
DROP VIEW IF EXISTS points;
CREATE VIEW points AS
SELECT s.name AS study, g.name AS stage, r.id AS run,
       x.budget, r.M, r.N1, r.N2, r.D, r.flops, r.flops_exact, r.params,
       r.lr, r.batch_tokens AS batch, r.d_model, r.n_layer, r.seed, r.steps,
       r.loss, r.bpb,
       r.state = 'done' AND r.loss IS NOT NULL AS used,
       CASE WHEN r.state <> 'done'
            THEN r.state || coalesce(': ' || r.reason, '')
            WHEN r.loss IS NULL THEN 'no loss measured'
       END AS why,
       x.epochs, x.flagged AS flags, x.extension,
       (SELECT iif(count(*) > 1, b.family, NULL) FROM branch b
        JOIN branch o ON o.family = b.family
        JOIN study_run y ON y.run = o.run AND y.study = x.study
          AND y.stage = x.stage
        WHERE b.run = x.run) AS cluster,
       CAST(substr(r.spec, instr(r.spec, 'optim.weight_decay = ') + 21) AS REAL)
         AS wd,
       r.D / max(x.epochs, 1) AS unique_tokens,
       x.ord, x.study AS study_id, x.stage AS stage_id
FROM study_run x
JOIN run r ON r.id = x.run
JOIN stage g ON g.study = x.study AND g.idx = x.stage
JOIN study s ON s.id = x.study
WHERE r.state IN ('done', 'diverged', 'failed', 'stopped')
UNION ALL
SELECT s.name, g.name, i.run, i.budget, i.M, i.N1, i.N2, i.D, i.flops,
       i.flops_exact, i.N2, i.lr, i.batch, i.d_model, i.n_layer, i.seed,
       i.steps, i.loss, i.bpb, i.used, i.why, NULL, NULL, 0, i.cluster, i.wd,
       i.unique_tokens, i.ord, i.study, i.stage
FROM imported i
JOIN stage g ON g.study = i.study AND g.idx = i.stage
JOIN study s ON s.id = i.study;

-- One row a training step; ask for one run, or few.  The steps that a trunk
-- took for a run are rows of both.
DROP VIEW IF EXISTS curves;
CREATE VIEW curves AS
SELECT r.id AS run, t.step,
       coalesce(t.tokens, t.step * r.batch_tokens) AS tokens,
       r.M * coalesce(t.tokens, t.step * r.batch_tokens) AS flops,
       t.loss, coalesce(t.lr_e9 / 1e9, 1.0) * r.lr AS lr,
       t.norm_e7 / 1e7 AS grad_norm, t.micros / 1e6 AS seconds, t.attempt
FROM run r JOIN step t ON t.run = r.num
UNION ALL
SELECT r.id, t.step, coalesce(t.tokens, t.step * r.batch_tokens),
       r.M * coalesce(t.tokens, t.step * r.batch_tokens),
       t.loss, coalesce(t.lr_e9 / 1e9, 1.0) * r.lr, t.norm_e7 / 1e7,
       t.micros / 1e6, t.attempt
FROM branch b JOIN run r ON r.id = b.run JOIN run p ON p.id = b.trunk
JOIN step t ON t.run = p.num AND t.step <= b.step
WHERE r.steps_done >= b.step
  AND NOT EXISTS (SELECT 1 FROM step o WHERE o.run = r.num AND o.step = t.step);

-- One row a pass over a validation set.
DROP VIEW IF EXISTS evaluations;
CREATE VIEW evaluations AS
SELECT v.run, v.step, v.valid_set, v.tokens, r.M * v.tokens AS flops, v.loss,
       v.bpb, v.seconds, v.eval_tokens, v.attempt
FROM evaluation v JOIN run r ON r.id = v.run
UNION ALL
SELECT r.id, v.step, v.valid_set, v.tokens, r.M * v.tokens, v.loss, v.bpb,
       v.seconds, v.eval_tokens, v.attempt
FROM branch b JOIN run r ON r.id = b.run
JOIN evaluation v ON v.run = b.trunk AND v.step <= b.step
WHERE r.steps_done >= b.step
  AND NOT EXISTS (SELECT 1 FROM evaluation o WHERE o.run = r.id
                  AND o.step = v.step AND o.valid_set = v.valid_set);

-- Of the last pass over a set, by position in the window: what is predicted from
-- first - 1 to last - 1 tokens.
DROP VIEW IF EXISTS positions;
CREATE VIEW positions AS
SELECT run, step, valid_set, first, last, eval_tokens, loss, bpb, attempt
FROM position;

-- One row an attempt, with its provenance.
DROP VIEW IF EXISTS attempts;
CREATE VIEW attempts AS
SELECT run, attempt, state, reason, gang, resumed_step, steps, tokens, loss,
       bpb, epochs, train_seconds, eval_seconds, checkpoint_seconds, started,
       ended, (julianday(ended) - julianday(started)) * 86400 AS seconds,
       host, pid, ranks, device, build, commit_id, argv, peak_flops,
       data_seconds
FROM attempt;

-- The best run of each stage and budget, of the points that are used, the first
-- planned of equals.  gap: how far behind the runner-up is, relative; below the
-- noise between seeds it means nothing.  Runs come from the index in the order
-- of groups, so nothing is sorted; min() brings its row along.  The runner-up is
-- looked for in the cells that are asked for alone.
DROP VIEW IF EXISTS optima;
CREATE VIEW optima AS
SELECT s.name AS study, g.name AS stage, b.budget, b.run,
       coalesce(r.M, i.M) AS M, coalesce(r.N1, i.N1) AS N1,
       coalesce(r.N2, i.N2) AS N2, coalesce(r.D, i.D) AS D,
       coalesce(r.flops, i.flops) AS flops, coalesce(r.lr, i.lr) AS lr,
       coalesce(r.batch_tokens, i.batch) AS batch,
       coalesce(r.d_model, i.d_model) AS d_model,
       coalesce(r.n_layer, i.n_layer) AS n_layer,
       coalesce(r.seed, i.seed) AS seed, coalesce(r.steps, i.steps) AS steps,
       coalesce(r.loss, i.loss) AS loss, b.bpb,
       coalesce(b.next_bpb,
         (SELECT min(q.bpb) FROM study_run y CROSS JOIN run q ON q.id = y.run
          WHERE y.study = b.study AND y.stage = b.stage
            AND y.budget = b.budget AND y.run <> b.run
            AND q.state = 'done' AND q.loss IS NOT NULL
            AND q.bpb IS NOT NULL)) / b.bpb - 1 AS gap,
       b.candidates, b.study AS study_id, b.stage AS stage_id
FROM (
  SELECT x.study, x.stage, x.budget, count(*) AS candidates, x.run, x.ord,
         min(r.bpb) AS bpb, NULL AS next_bpb
  FROM study_run x CROSS JOIN run r ON r.id = x.run
  WHERE r.state = 'done' AND r.loss IS NOT NULL AND r.bpb IS NOT NULL
  GROUP BY x.study, x.stage, x.budget
  UNION ALL
  SELECT study, stage, budget, max(place), max(iif(place = 1, run, NULL)),
         max(iif(place = 1, ord, NULL)), max(iif(place = 1, bpb, NULL)),
         max(iif(place = 2, bpb, NULL))
  FROM (
    SELECT study, stage, budget, run, ord, bpb, row_number() OVER (
      PARTITION BY study, stage, budget ORDER BY bpb, ord) AS place
    FROM imported WHERE used AND bpb IS NOT NULL
  )
  GROUP BY study, stage, budget
) b
JOIN stage g ON g.study = b.study AND g.idx = b.stage
JOIN study s ON s.id = b.study
LEFT JOIN run r ON r.id = b.run
LEFT JOIN imported i ON i.study = b.study AND i.stage = b.stage
  AND i.ord = b.ord AND i.run = b.run;

-- One row a fit.
DROP VIEW IF EXISTS fits;
CREATE VIEW fits AS
SELECT s.name AS study, f.id AS fit, f.at, f.law, f.method, f.n, f.identified,
       f.refused, f.input, f.json, f.study AS study_id
FROM fit f JOIN study s ON s.id = f.study;

-- What was predicted beside what the runs of verify stages of the same budget
-- and shape measured: their number, mean and range, the signed error of the
-- prediction's miss in percent, and whether the mean is inside the interval.
DROP VIEW IF EXISTS predictions;
CREATE VIEW predictions AS
SELECT s.name AS study, p.flops, p.M, p.N, p.D, p.d_model, p.n_layer, p.lr,
       p.batch_tokens, p.bpb, p.bpb_lo, p.bpb_hi, p.level, p.decades, p.made,
       count(q.bpb) AS runs, avg(q.bpb) AS measured,
       min(q.bpb) AS measured_min, max(q.bpb) AS measured_max,
       (avg(q.bpb) / p.bpb - 1) * 100 AS error_percent,
       avg(q.bpb) BETWEEN p.bpb_lo AND p.bpb_hi AS inside,
       p.id AS prediction, p.sha256, p.study AS study_id, p.stage AS stage_id
FROM prediction p
JOIN study s ON s.id = p.study
LEFT JOIN stage g ON g.study = p.study AND g.kind = 'verify'
LEFT JOIN points q ON q.study_id = p.study AND q.stage_id = g.idx
  AND q.used AND q.d_model = p.d_model AND q.n_layer = p.n_layer
  AND abs(q.budget / p.flops - 1) < 1e-9
GROUP BY p.id;

-- What each stage cost.  flops: of the runs that became results; trained: of
-- everything that was computed; wasted: computed and thrown away, by attempts
-- that ended before their last checkpoint and by runs that came to nothing;
-- shared: not computed, because trunks had taken those steps; stopped: not
-- computed, because runs were stopped early.  flops = trained - wasted + shared.
-- A run that two stages share is counted in both.
DROP VIEW IF EXISTS cost;
CREATE VIEW cost AS
SELECT s.name AS study, g.name AS stage, count(*) AS runs,
       sum(r.state IN ('done', 'diverged')) AS results,
       sum(r.attempts) AS attempts, sum(r.failures) AS failures,
       sum(iif(r.state IN ('done', 'diverged'), r.M * r.tokens_done, 0.0))
         AS flops,
       sum(r.M * r.batch_tokens * coalesce(w.steps, 0)) AS flops_trained,
       sum(r.M * r.batch_tokens * (coalesce(w.steps, 0)
         - iif(r.state IN ('failed', 'stopped'), 0,
               r.steps_done - coalesce(w.shared, 0)))) AS flops_wasted,
       sum(iif(r.state IN ('failed', 'stopped'), 0.0,
               r.M * r.batch_tokens * coalesce(w.shared, 0))) AS flops_shared,
       sum(iif(r.state = 'stopped' AND r.reason LIKE 'early:%',
               r.M * (r.D - r.tokens_done), 0.0)) AS flops_stopped,
       sum(w.train_seconds) AS train_seconds,
       sum(w.eval_seconds) AS eval_seconds,
       sum(w.checkpoint_seconds) AS checkpoint_seconds,
       sum(w.gang_seconds) AS slot_seconds,
       sum(w.data_seconds) AS data_seconds,
       x.study AS study_id, x.stage AS stage_id
FROM study_run x
JOIN run r ON r.id = x.run
JOIN stage g ON g.study = x.study AND g.idx = x.stage
JOIN study s ON s.id = x.study
LEFT JOIN (
  SELECT run, sum(max(steps - resumed_step, 0)) AS steps,
         min(resumed_step) AS shared, -- the first went on from a trunk
         sum(train_seconds) AS train_seconds,
         sum(eval_seconds) AS eval_seconds,
         sum(checkpoint_seconds) AS checkpoint_seconds,
         sum(data_seconds) AS data_seconds,
         sum(gang * (julianday(ended) - julianday(started)) * 86400)
           AS gang_seconds
  FROM attempt GROUP BY run
) w ON w.run = r.id
GROUP BY x.study, x.stage;

-- What happened, in order.
DROP VIEW IF EXISTS events;
CREATE VIEW events AS
SELECT e.at, s.name AS study, e.run, e.kind, e.text, e.id AS event,
       e.study AS study_id
FROM event e LEFT JOIN study s ON s.id = e.study;

-- Who wrote to this file, and when.
DROP VIEW IF EXISTS sessions;
CREATE VIEW sessions AS
SELECT opened, closed, host, pid, job, slots FROM session;
