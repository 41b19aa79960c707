-- From version 1 to version 2: runs of others.
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
  PRIMARY KEY(study, stage, ord),
  FOREIGN KEY(study, stage) REFERENCES stage(study, idx)
) STRICT, WITHOUT ROWID;
