-- From version 5 to version 6: the best of a cell is found without sorting.
CREATE INDEX study_run_by_cell ON study_run(study, stage, budget, ord);
