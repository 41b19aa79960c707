#!/usr/bin/env bash
# A run directory in MLflow's form, read by MLflow where it is installed.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

make_database
refuses 2 'o DIR expected' "$LOGLOG" export tiny.db --format mlflow
refuses 2 'no such column' "$LOGLOG" export tiny.db --format mlflow -o m \
    --where 'nonsense = 1'
compgen -G 'm*' >/dev/null && not_ok "a failed export leaves something"
exits 0 "$LOGLOG" export tiny.db --format mlflow -o m --where "lr < 0.005"
says '^m: 4 runs$'
rm -r m
exits 0 "$LOGLOG" export tiny.db --format mlflow -o m
says '^m: 8 runs$'
refuses 2 'm: is there already' "$LOGLOG" export tiny.db --format mlflow -o m
grep -q "^name: 'tiny'" m/1/meta.yaml || not_ok "$(cat m/1/meta.yaml)"
[ "$(find m/1 -name loss | wc -l)" -eq 8 ] || not_ok "eight curves"
# step 1 of a run, to the last digit
run=$("$LOGLOG" query tiny.db --csv "SELECT printf('%016x', run), loss FROM
    curves WHERE step = 1 ORDER BY run LIMIT 1" | tail -n 1)
grep -qE "^[0-9]{13} ${run#*,} 1\$" "m/1/${run%,*}/metrics/loss" ||
    not_ok "$run is not in $(head -n 1 "m/1/${run%,*}/metrics/loss")"
[ "$(cat "m/1/${run%,*}/params/seq_len")" = 16 ] || not_ok "a parameter"

python=${LOGLOG_PYTHON:-python3}
if "$python" -c 'import mlflow' 2>/dev/null; then
    MLFLOW_ALLOW_FILE_STORE=true "$python" - >out 2>err <<'PY'
from mlflow.tracking import MlflowClient
c = MlflowClient("file:m")
e = c.get_experiment_by_name("tiny")
runs = c.search_runs([e.experiment_id])
print(len(runs), "runs")
r = runs[0]
print(r.info.status, r.data.params["d_model"], "d_model")
print(len(c.get_metric_history(r.info.run_id, "loss")), "of",
      r.data.params["steps"], "steps")
PY
    says '^8 runs$'
    says '^FINISHED [0-9]+ d_model$'
    says '^([0-9]+) of \1 steps$'
else
    printf 'not tried: MLflow itself (not installed)\n'
fi
conclude
