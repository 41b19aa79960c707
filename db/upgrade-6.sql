-- From version 6 to version 7: time spent waiting for data, loss by position.
ALTER TABLE attempt ADD COLUMN data_seconds REAL;
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
