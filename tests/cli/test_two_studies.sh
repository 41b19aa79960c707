#!/usr/bin/env bash
# One database, two studies: at the same time the second is refused; a study
# file that changed is refused until --replace; another study is welcome.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

make_study
# a study of some minutes
sed 's/^study: tiny/study: long/; s/2e7, 4e7/2e11, 4e11/' tiny.yaml >long.yaml

"$LOGLOG" run long.yaml --db both.db >first.out 2>first.err &
first=$!
for _ in $(seq 1 200); do
    "$LOGLOG" query both.db --csv \
        "SELECT count(*) FROM runs WHERE state = 'running'" 2>/dev/null |
        grep -q '^[1-9]' && break
    sleep 0.1
done
refuses 4 'both.db' "$LOGLOG" run tiny.yaml --db both.db
refuses 4 'both.db' "$LOGLOG" run long.yaml --db both.db
exits 0 "$LOGLOG" status both.db # reading is always possible
kill -TERM $first
wait $first
code=$?
if [ $code -eq 75 ]; then
    ok
else
    not_ok "stopped by a signal: exit $code, expected 75"
fi

# one after the other they share it; exit 1: so small a study finds no law
run "$LOGLOG" run tiny.yaml --db both.db
[ "$rc" -le 1 ] || not_ok "another study: exit $rc"
exits 0 "$LOGLOG" query both.db --csv 'SELECT count(*) FROM studies'
says '^2$'

# the same name with another content is a mistake until it is said
sed 's/4e-3/2e-3/' tiny.yaml >changed.yaml
echo 'log: {every: 10}' >>changed.yaml
refuses 2 "study 'tiny' was started with another study file" \
    "$LOGLOG" run changed.yaml --db both.db
run "$LOGLOG" run changed.yaml --db both.db --replace
[ "$rc" -le 1 ] || not_ok "--replace: exit $rc"
grep -q 'other builds' err && not_ok "one build so far: $(cat err)"

# what another build has trained is told
python3 - <<'EOF'
import sqlite3
with sqlite3.connect("both.db") as db:
    db.execute("UPDATE attempt SET commit_id = 'f00dfeed' WHERE attempt = 1")
EOF
run "$LOGLOG" run changed.yaml --db both.db
grep -q "study 'tiny' has runs of other builds (f00dfeed; this is " err ||
    not_ok "not told of another build: $(cat err)"

# what was trained since keeps every tenth step, its first and its last, and
# every evaluation
cat >kept.sql <<'SQL'
SELECT count(DISTINCT run), sum(step % 10 AND step <> 1 AND step <> steps),
       max(step = 1) AND max(step = steps),
       (SELECT count(DISTINCT run) FROM evaluations JOIN runs USING (run)
        WHERE lr = 2e-3 AND study = 'tiny')
FROM curves c JOIN runs r USING (run) WHERE r.lr = 2e-3 AND study = 'tiny'
SQL
exits 0 "$LOGLOG" query both.db --csv "$(cat kept.sql)"
says '^4,0,1,4$'
conclude
