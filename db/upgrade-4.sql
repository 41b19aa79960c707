-- From version 4 to version 5: every law is stored; two columns more of imported
-- runs.  The view is made again with all the others.
DROP VIEW IF EXISTS fits;
ALTER TABLE imported ADD COLUMN wd REAL;
ALTER TABLE imported ADD COLUMN unique_tokens REAL;
CREATE TABLE fit_5(
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
INSERT INTO fit_5 SELECT id, study, at, law, method, n, identified, refused,
  input, json FROM fit;
DROP TABLE fit;
ALTER TABLE fit_5 RENAME TO fit;
CREATE INDEX fit_by_study ON fit(study, id);
