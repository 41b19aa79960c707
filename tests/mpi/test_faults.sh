#!/bin/sh
# Runs that crash, hang, diverge or cannot succeed: recorded with the reason,
# retried as often as allowed, and the study goes on.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"
setup

slowly >/dev/null # plans
run=$(ask names.db "SELECT run FROM runs ORDER BY ord LIMIT 1")
[ -n "$run" ] || fail "no run was planned"

# a crash: one attempt lost, the same results
LOGLOG_FAULT=child-segv:run=$run:attempt=1:step=9 \
    ranks 2 --db segv.db >segv.out 2>segv.err || fail "segv: $?"
[ "$(ask segv.db "SELECT state || ' ' || reason FROM attempts WHERE run = \
$run AND attempt = 1")" = "failed killed by signal 11 (Segmentation fault)" ] ||
    fail "segv: not recorded"
same segv.db

# a hang: found, killed, tried again
LOGLOG_FAULT=child-hang:run=$run:attempt=1:step=9 \
    ranks 2 --db hang.db --hang 2 >hang.out 2>hang.err || fail "hang: $?"
case $(ask hang.db "SELECT reason FROM attempts WHERE run = $run AND \
attempt = 1") in
hung:*) ;;
*) fail "hang: not recorded" ;;
esac
same hang.db

# a poisoned run: every attempt fails; it is given up, the others are done
LOGLOG_FAULT=child-kill:run=$run:step=9:every \
    ranks 2 --db poison.db >poison.out 2>poison.err
rc=$?
[ $rc = 1 ] || fail "poison: exit $rc"
[ "$(ask poison.db "SELECT state || ' ' || attempts FROM runs WHERE run = \
$run")" = "failed 3" ] || fail "poison: $(ask poison.db "SELECT state, attempts \
FROM runs WHERE run = $run")"
[ "$(ask poison.db "SELECT count(*) FROM runs WHERE state <> 'done'")" = 1 ] ||
    fail "poison: other runs suffered"
[ "$(ask poison.db "SELECT count(*) FROM events WHERE kind = 'retry'")" = 2 ] ||
    fail "poison: the retries were not told"
gone || fail "poison: processes are left"

# divergence is a result, not a failure
sed 's/^study: tiny/study: wild/; s/lr: 4e-3/lr: 300/' study.yaml >tiny.yaml
mv tiny.yaml study.yaml
ranks 2 --db wild.db >wild.out 2>wild.err
[ "$(ask wild.db "SELECT count(*) FROM runs WHERE state = 'diverged' AND \
reason <> ''")" -gt 0 ] || fail "divergence was not recorded"
[ "$(ask wild.db "SELECT count(*) FROM runs WHERE state = 'diverged' AND \
attempts > 1")" = 0 ] || fail "a diverged run was tried again"
[ "$(ask wild.db "SELECT count(*) FROM runs WHERE state IN ('failed', \
'pending')")" = 0 ] || fail "a diverged run counts as failed"
shm_clean
echo "crash, hang, poison and divergence are recorded"
