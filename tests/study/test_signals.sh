#!/bin/sh
# Without mpirun: one process and its slots.  Signals and the time limit stop in
# order; a second SIGINT ends at once; what is wrong with the data ends the
# launch, not the runs.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/../mpi/lib.sh"
setup
slow=$(slowly)

# begin NAME ARGS...: slowly, in the background, as $job
begin() {
    db=$1.db
    shift
    # a background job of sh ignores SIGINT from birth; the program must not
    LOGLOG_FAULT=$slow "$LOGLOG" run study.yaml --db "$db" --slots 2 "$@" \
        >"$db.out" 2>"$db.err" &
    job=$!
}

ended() {
    wait $job
    rc=$?
    [ $rc = 75 ] || fail "$1: exit $rc"
    gone || fail "$1: processes are left"
}

for signal in INT TERM USR1 USR2; do
    begin "$signal"
    training "$signal.db" 2
    kill -$signal $job
    ended "$signal"
    [ "$(ask "$signal.db" "SELECT count(*) FROM attempts WHERE state = \
'preempted' AND reason = 'stopped: SIG$signal' AND steps > 0")" = 2 ] ||
        fail "$signal: not stopped in order"
done
ranks 0 --db INT.db >again.out 2>again.err || fail "resumed: $?"
same INT.db

# twice: at once, in the middle of stopping (the children are stopped, so they
# cannot end in order)
begin twice
training twice.db 2
for pid in $(pids child); do kill -STOP "$pid"; done
kill -INT $job
sleep 0.5
kill -0 $job 2>/dev/null || fail "twice: it did not wait for its children"
kill -INT $job
ended twice
ranks 0 --db twice.db >again.out 2>again.err || fail "twice, resumed: $?"
same twice.db

# children that do not stop in time are ended; their runs are not failures
begin grace --grace 1
training grace.db 2
for pid in $(pids child); do kill -STOP "$pid"; done
kill -TERM $job
ended grace
[ "$(ask grace.db "SELECT sum(failures) FROM runs")" = 0 ] ||
    fail "grace: a run was blamed"

begin limit --time-limit 4 --grace 1
ended limit
[ "$(ask limit.db "SELECT count(*) FROM attempts WHERE reason = 'stopped: time \
limit'")" = 2 ] || fail "time limit: not stopped in order"
ranks 0 --db limit.db >again.out 2>again.err || fail "time limit, resumed: $?"
same limit.db

# Slurm says when the job ends
SLURM_JOB_END_TIME=$(($(date +%s) + 4))
export SLURM_JOB_END_TIME
begin slurm --grace 1
unset SLURM_JOB_END_TIME
ended slurm

# the data vanish: the launch ends, and the runs are not given up
begin data
training data.db 2
mv data data.away
wait $job
rc=$?
[ $rc = 3 ] || [ $rc = 2 ] || fail "no data: exit $rc"
grep -q "in a row failed" data.db.err || fail "no data: it does not say so"
[ "$(ask data.db "SELECT count(*) FROM runs WHERE state = 'failed'")" = 0 ] ||
    fail "no data: runs were given up"
mv data.away data
ranks 0 --db data.db >again.out 2>again.err || fail "data, resumed: $?"
same data.db
echo "signals, limits and lost data: stopped in order, resumed"
