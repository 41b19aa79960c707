-- From version 3 to version 4: runs that share their first steps.
CREATE TABLE branch(
  run    INTEGER PRIMARY KEY REFERENCES run(id),
  family INTEGER NOT NULL,  -- equal on runs whose first steps are the same
  trunk  INTEGER,           -- run that takes them for this one; NULL: itself
  step   INTEGER NOT NULL CHECK(step >= 0), -- how many; 0: none
  CHECK((trunk IS NULL) = (step = 0))
) STRICT;
CREATE INDEX branch_by_family ON branch(family);
