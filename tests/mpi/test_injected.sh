#!/bin/sh
# Rare failures, each made on purpose: what is lost, what is said, and that the
# results are those of an undisturbed study.  docs/failures.md has the table.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"
setup
slowly >/dev/null # plans
run=$(ask names.db "SELECT run FROM runs ORDER BY ord LIMIT 1")

# attempt DB: state and reason of the first attempt of the run
attempt() { ask "$1" "SELECT state || ' ' || reason FROM attempts WHERE run = \
$run AND attempt = 1"; }

# the kernel kills a child because the machine is out of memory
LOGLOG_FAULT=child-kill:run=$run:attempt=1:step=9,oom-kill:run=$run \
    ranks 2 --db oom.db >oom.out 2>oom.err || fail "oom: $?"
[ "$(attempt oom.db)" = "failed killed by signal 9 (Killed): the machine ran \
out of memory" ] || fail "oom: $(attempt oom.db)"
grep -q "run $run, attempt 1, .*ran out of memory: queued again" oom.err ||
    fail "oom: not told"
same oom.db

# a loss that is no number is a result, tried once, and never fitted
LOGLOG_FAULT=nan:run=$run:step=9 ranks 2 --db nan.db >nan.out 2>nan.err
case $(attempt nan.db) in diverged*) ;; *) fail "nan: $(attempt nan.db)" ;; esac
[ "$(ask nan.db "SELECT attempts || ' ' || used FROM runs JOIN points \
USING(run) WHERE run = $run")" = "1 0" ] || fail "nan: tried again or fitted"
grep -q "run $run, attempt 1, .*diverged, which is a result" nan.err ||
    fail "nan: not told"
for db in nan.db calm.db; do
    ask $db "SELECT run, loss, bpb FROM points WHERE run <> $run ORDER BY ord" \
        >$db.others
done
cmp -s nan.db.others calm.db.others || fail "nan: other runs suffered"

# the coordinator dies between the fits of a stage and the stage: in the middle
# of a transaction
LOGLOG_FAULT=coordinator-kill ranks 2 --db half.db >half.out 2>half.err &&
    fail "half: the coordinator did not die"
gone || fail "half: processes are left"
[ "$(ask half.db "SELECT count(*) FROM runs WHERE state <> 'done'")" = 0 ] ||
    fail "half: too early"
[ "$(ask half.db "SELECT count(*) FROM fits")" = 0 ] ||
    fail "half: half a transaction is there"
ranks 1 --db half.db >half2.out 2>half2.err || fail "half: resumed: $?"
same half.db

# the wall clock jumps a day back and forth while the study runs, with no period
# that the two ends of every attempt could share
LOGLOG_FAULT=$(for n in 5 6 9 11 12 13 16 18 21 22 24 27 29 30 34 35; do
    printf 'clock-jump:n=%d,' $n
done) ranks 2 --db clock.db >clock.out 2>clock.err || fail "clock: $?"
[ "$(ask clock.db "SELECT count(*) FROM attempts WHERE \
abs(julianday(started) - julianday(ended)) > 0.5")" -gt 0 ] ||
    fail "clock: it did not jump"
same clock.db

# the lock file of a writer that was killed, on this host and on another
echo "host elsewhere, pid 4711, since 2020-01-01T00:00:00Z" >stale.db.lock
ranks 2 --db stale.db >stale.out 2>stale.err || fail "stale: $?"
same stale.db

# the disk of the database is full, then has room again
mkdir small
if mount -t tmpfs -o size=280k loglog-test small 2>/dev/null; then
    ranks 2 --db small/full.db >full.out 2>full.err
    rc=$?
    [ $rc = 4 ] && grep -q "full.db: the disk is full" full.err
    said=$?
    mount -o remount,size=50m small
    ranks 2 --db small/full.db >full2.out 2>full2.err
    again=$?
    cp small/full.db full.db
    umount small
    [ $said = 0 ] || fail "full: exit $rc"
    [ $again = 0 ] || fail "full: with room again: exit $again"
    same full.db
else
    echo "not tried: a full disk (needs the right to mount)"
fi

gone || fail "processes are left"
shm_clean
echo "memory, nan, half a transaction, clock, lock, disk: as undisturbed"
