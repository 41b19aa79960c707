-- The results database of loglog, version 7.
--
-- Tables (singular) belong to the program and may change with the version.
-- Views (plural, views.sql) are for people: their names and columns stay.
--
-- Every number people ask for is a column with its own unit; nothing has to be
-- parsed out of a name.  Times are UTC, ISO 8601, milliseconds.  NULL is "not
-- known" or "not a finite number", never zero.  Only the program writes, one
-- process at a time; PRAGMA user_version is the version of these tables.

-- Odds and ends about the file itself:
--   views    hash of the text that made the views
--   journal  id, lines and bytes of FILE.journal.jsonl that belong to what is
--            committed here; "on" asks for a new one, no row is none
CREATE TABLE meta(
  key   TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta VALUES('journal', 'on');

-- Who wrote here, one row each time the file was opened for writing.
CREATE TABLE session(
  id     INTEGER PRIMARY KEY,
  opened TEXT NOT NULL,
  closed TEXT,              -- NULL: still open, or the process was killed
  host   TEXT NOT NULL,
  pid    INTEGER NOT NULL,
  job    TEXT,              -- of Slurm, if any
  slots  INTEGER            -- that a study runs on; NULL: not a study
) STRICT;

-- A study file with every default filled in, frozen when it first ran.
CREATE TABLE study(
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE CHECK(name <> ''),
  resolved TEXT NOT NULL,   -- YAML
  sha256   TEXT NOT NULL CHECK(length(sha256) = 64), -- of resolved
  created  TEXT NOT NULL
) STRICT;

-- A stage: waiting for what it needs, open, complete, or refused with a reason.
CREATE TABLE stage(
  study   INTEGER NOT NULL REFERENCES study(id),
  idx     INTEGER NOT NULL CHECK(idx >= 0), -- place in the study file
  name    TEXT NOT NULL CHECK(name <> ''),
  kind    TEXT,             -- hyper, isoflop, predict, verify
  state   TEXT NOT NULL
          CHECK(state IN ('waiting', 'open', 'complete', 'refused')),
  reason  TEXT,
  changed TEXT NOT NULL,
  PRIMARY KEY(study, idx)
) STRICT, WITHOUT ROWID;

-- A training run: what was asked and what came of it.  Stored once whoever
-- needs it; id is the first 63 bits of the SHA-256 of spec.
CREATE TABLE run(
  num          INTEGER PRIMARY KEY,  -- short key, for step rows only
  id           INTEGER NOT NULL UNIQUE CHECK(id > 0),
  spec         TEXT NOT NULL,        -- canonical text: enough to run it again
  family       TEXT NOT NULL,        -- deepseek-llm
  d_model      INTEGER NOT NULL CHECK(d_model > 0),
  n_layer      INTEGER NOT NULL CHECK(n_layer > 0),
  n_head       INTEGER NOT NULL CHECK(n_head > 0),
  n_kv_head    INTEGER NOT NULL CHECK(n_kv_head > 0),
  d_ff         INTEGER NOT NULL CHECK(d_ff > 0),
  vocab        INTEGER NOT NULL CHECK(vocab > 0),
  seq_len      INTEGER NOT NULL CHECK(seq_len > 0),
  M            REAL NOT NULL CHECK(M > 0),  -- non-embedding flops a token
  N1           REAL NOT NULL CHECK(N1 > 0), -- non-embedding parameters
  N2           REAL NOT NULL CHECK(N2 > 0), -- complete, by the paper's rule
  params       REAL NOT NULL CHECK(params > 0), -- that really exist
  D            REAL NOT NULL CHECK(D > 0),  -- training tokens, whole steps
  flops        REAL NOT NULL CHECK(flops > 0),  -- M D
  flops_exact  REAL NOT NULL CHECK(flops_exact > 0), -- head, causal attention
  lr           REAL NOT NULL CHECK(lr > 0),     -- peak
  batch_tokens INTEGER NOT NULL CHECK(batch_tokens > 0),
  steps        INTEGER NOT NULL CHECK(steps > 0),
  schedule     TEXT NOT NULL,
  dtype        TEXT NOT NULL,
  seed         INTEGER NOT NULL,
  data         TEXT NOT NULL,        -- identity of the data, hex
  state        TEXT NOT NULL DEFAULT 'pending'
               CHECK(state IN ('pending', 'running', 'done', 'diverged',
                               'failed', 'stopped')),
  reason       TEXT,                 -- of the last attempt's end
  attempts     INTEGER NOT NULL DEFAULT 0 CHECK(attempts >= 0),
  failures     INTEGER NOT NULL DEFAULT 0
               CHECK(failures BETWEEN 0 AND attempts), -- ended badly
  steps_done   INTEGER NOT NULL DEFAULT 0 CHECK(steps_done >= 0),
  tokens_done  INTEGER NOT NULL DEFAULT 0 CHECK(tokens_done >= 0),
  loss         REAL,                 -- nats, first validation set, at the end
  bpb          REAL,                 -- bits per byte, the same
  added        TEXT NOT NULL,
  finished     TEXT,                 -- when it became what it is
  CHECK(state <> 'running' OR attempts > 0)
) STRICT;
CREATE INDEX run_by_state ON run(state);

-- Which study, stage and budget a run serves; two stages may share a run.
CREATE TABLE study_run(
  study     INTEGER NOT NULL,
  stage     INTEGER NOT NULL,
  run       INTEGER NOT NULL REFERENCES run(id),
  ord       INTEGER NOT NULL,        -- order of planning within the study
  budget    REAL NOT NULL CHECK(budget > 0), -- nominal flops of the cell
  extension INTEGER NOT NULL DEFAULT 0,  -- 0: first design; k: k-th extension
  flags     INTEGER NOT NULL DEFAULT 0,  -- bits, see flagged
  flagged   TEXT GENERATED ALWAYS AS (nullif(rtrim(
              iif(flags & 1, 'few-steps ', '') || iif(flags & 2, 'epochs ', '')
              || iif(flags & 4, 'head-share ', '')
              || iif(flags & 8, 'warmup ', '')), '')) VIRTUAL,
  epochs    REAL,                    -- D / distinct tokens of the data
  seconds   REAL,                    -- predicted, on one slot
  PRIMARY KEY(study, stage, run),
  FOREIGN KEY(study, stage) REFERENCES stage(study, idx)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX study_run_order ON study_run(study, ord);
CREATE INDEX study_run_by_run ON study_run(run);
CREATE INDEX study_run_by_cell ON study_run(study, stage, budget, ord);

-- Which runs share their first steps, and which of them takes the steps for the
-- others (sweep/trunk.h).
CREATE TABLE branch(
  run    INTEGER PRIMARY KEY REFERENCES run(id),
  family INTEGER NOT NULL,  -- equal on runs whose first steps are the same
  trunk  INTEGER,           -- run that takes them for this one; NULL: itself
  step   INTEGER NOT NULL CHECK(step >= 0), -- how many; 0: none
  CHECK((trunk IS NULL) = (step = 0))
) STRICT;
CREATE INDEX branch_by_family ON branch(family);

-- A try at a run: where, by which build, from which step, and how it ended.
CREATE TABLE attempt(
  run          INTEGER NOT NULL REFERENCES run(id),
  attempt      INTEGER NOT NULL CHECK(attempt > 0),
  state        TEXT NOT NULL
               CHECK(state IN ('running', 'done', 'diverged', 'failed',
                               'stopped', 'preempted')),
  reason       TEXT,
  gang         INTEGER NOT NULL,     -- processes
  resumed_step INTEGER NOT NULL,     -- 0: from scratch
  steps        INTEGER,              -- reached, counted from the run's start
  tokens       INTEGER,
  loss         REAL,
  bpb          REAL,
  epochs       REAL,
  train_seconds      REAL,
  eval_seconds       REAL,
  checkpoint_seconds REAL,
  started      TEXT NOT NULL,
  ended        TEXT,
  host         TEXT,
  pid          INTEGER,
  ranks        TEXT,                 -- which slots of the launch
  device       TEXT,
  build        TEXT,                 -- compiler, flags, version
  commit_id    TEXT,                 -- of the source
  argv         TEXT,                 -- the command line
  peak_flops   REAL,                 -- a second and process, measured there
  data_seconds REAL,                 -- of train_seconds: waiting for tokens
  PRIMARY KEY(run, attempt),
  CHECK((state = 'running') = (ended IS NULL))
) STRICT, WITHOUT ROWID;

-- A training step.  These are many, so a row is made to take less than 40
-- bytes: whole numbers in small units, NULL for the usual.  The view curves has
-- them as one expects.
CREATE TABLE step(
  run       INTEGER NOT NULL,  -- run.num
  step      INTEGER NOT NULL,  -- 1 is the first
  attempt   INTEGER NOT NULL,
  tokens    INTEGER,           -- so far; NULL: step * batch_tokens
  loss      REAL,              -- nats, every bit
  lr_e9     INTEGER,           -- 1e-9 of the run's peak; NULL: the peak
  norm_e7   INTEGER,           -- gradient norm before clipping, 1e-7
  micros    INTEGER,           -- microseconds the step took
  PRIMARY KEY(run, step)
) STRICT, WITHOUT ROWID;

-- A pass over a validation set.
CREATE TABLE evaluation(
  run         INTEGER NOT NULL REFERENCES run(id),
  step        INTEGER NOT NULL,
  valid_set   TEXT NOT NULL,
  attempt     INTEGER NOT NULL,
  tokens      INTEGER NOT NULL,  -- trained so far
  loss        REAL,              -- nats a token
  bpb         REAL,
  seconds     REAL,
  eval_tokens INTEGER NOT NULL,
  PRIMARY KEY(run, step, valid_set)
) STRICT, WITHOUT ROWID;

-- Of the last pass over a set, the targets at some positions of their windows.
CREATE TABLE position(
  run         INTEGER NOT NULL REFERENCES run(id),
  step        INTEGER NOT NULL,
  valid_set   TEXT NOT NULL,
  first       INTEGER NOT NULL,  -- positions of a window, from 1 ...
  last        INTEGER NOT NULL,  -- ... to this one
  attempt     INTEGER NOT NULL,
  eval_tokens INTEGER NOT NULL,
  loss        REAL,              -- nats a token
  bpb         REAL,
  PRIMARY KEY(run, step, valid_set, first)
) STRICT, WITHOUT ROWID;

-- Runs of others, published or trained elsewhere: points without a curve.
CREATE TABLE imported(
  study       INTEGER NOT NULL,
  stage       INTEGER NOT NULL,
  ord         INTEGER NOT NULL,    -- place in its source
  run         INTEGER NOT NULL CHECK(run > 0), -- made up, stable
  source      TEXT NOT NULL,       -- the file it came from
  cluster     TEXT,                -- what is resampled together
  budget      REAL,                -- NULL: not known, here and below
  M           REAL,
  N1          REAL,
  N2          REAL,
  D           REAL,
  flops       REAL,
  flops_exact REAL,
  lr          REAL,
  batch       REAL,
  d_model     REAL,
  n_layer     REAL,
  seed        INTEGER,
  steps       INTEGER,
  loss        REAL,
  bpb         REAL,
  used        INTEGER NOT NULL CHECK(used IN (0, 1)),
  why         TEXT,                -- when it is not
  wd          REAL,                -- weight decay
  unique_tokens REAL,              -- distinct training tokens
  PRIMARY KEY(study, stage, ord),
  FOREIGN KEY(study, stage) REFERENCES stage(study, idx)
) STRICT, WITHOUT ROWID;

-- Something worth telling later.
CREATE TABLE event(
  id    INTEGER PRIMARY KEY,
  at    TEXT NOT NULL,
  study INTEGER REFERENCES study(id),
  run   INTEGER REFERENCES run(id),
  kind  TEXT NOT NULL
        CHECK(kind IN ('start', 'stop', 'fault', 'retry', 'note')),
  text  TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_study ON event(study, id);

-- A fitted law, or the reason why there is none.
CREATE TABLE fit(
  id         INTEGER PRIMARY KEY,
  study      INTEGER NOT NULL REFERENCES study(id),
  at         TEXT NOT NULL,
  law        TEXT NOT NULL
  CHECK(law IN ('hyper','isoflop','surface','loss','power','curve','collapse')),
  method     TEXT NOT NULL,
  n          INTEGER NOT NULL,     -- points used
  identified INTEGER NOT NULL CHECK(identified IN (0, 1)),
  refused    TEXT,                 -- the reason
  input      TEXT,                 -- SHA-256 of the points it saw
  json       TEXT NOT NULL
) STRICT;
CREATE INDEX fit_by_study ON fit(study, id);

-- What a study predicts, written down before its verification may run.  Once
-- made it stays: the triggers below refuse any change.
CREATE TABLE prediction(
  id           INTEGER PRIMARY KEY,
  study        INTEGER NOT NULL REFERENCES study(id),
  stage        INTEGER NOT NULL,   -- that predicts
  flops        REAL NOT NULL CHECK(flops > 0),
  model        TEXT NOT NULL,      -- the model.* lines of a spec
  d_model      INTEGER NOT NULL,
  n_layer      INTEGER NOT NULL,
  lr           REAL NOT NULL,
  batch_tokens INTEGER NOT NULL,
  M            REAL,
  N            REAL,
  D            REAL,
  bpb          REAL,
  bpb_lo       REAL,               -- interval at this level ...
  bpb_hi       REAL,
  level        REAL,               -- ... 0.95
  decades      REAL,               -- beyond the largest fitted budget
  sha256       TEXT NOT NULL CHECK(length(sha256) = 64), -- of json
  made         TEXT NOT NULL,
  json         TEXT NOT NULL,
  UNIQUE(study, stage, flops)
) STRICT;
CREATE TRIGGER prediction_stays BEFORE UPDATE ON prediction
BEGIN
  SELECT RAISE(ABORT, 'a registered prediction cannot be changed');
END;
CREATE TRIGGER prediction_unique BEFORE INSERT ON prediction
WHEN EXISTS (SELECT 1 FROM prediction p WHERE p.id = NEW.id
             OR (p.study = NEW.study AND p.stage = NEW.stage
                 AND p.flops = NEW.flops))
BEGIN -- INSERT OR REPLACE would not fire the others
  SELECT RAISE(ABORT, 'a registered prediction cannot be replaced');
END;
CREATE TRIGGER prediction_remains BEFORE DELETE ON prediction
BEGIN
  SELECT RAISE(ABORT, 'a registered prediction cannot be removed');
END;
