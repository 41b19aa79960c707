#!/bin/sh
# Whatever is killed, whenever: the same command finishes the study, with the
# results of an undisturbed one.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"
setup
slow=$(slowly)

# disturb NAME SIGNAL KIND [survives]: begin slowly, send the signal to the
# first process of this kind (rank: to the last) in the middle, wait for the
# end of it all; its exit status is $rc
disturb() {
    LOGLOG_FAULT=$slow ranks 2 --db "$1.db" >"$1.out" 2>"$1.err" &
    job=$!
    training "$1.db" 2
    if [ "$1" = rank ]; then
        victim=$(pids "$3" | tail -n 1)
    else
        victim=$(pids "$3" | head -n 1)
    fi
    kill "$2" "$victim"
    wait $job
    rc=$?
    gone || fail "$1: processes are left"
    left=$(ask "$1.db" "SELECT count(*) FROM runs WHERE state NOT IN ('done', \
'failed', 'diverged')")
    [ "${4:-}" = survives ] || [ "$left" -gt 0 ] || fail "$1: too late"
}

# resume NAME [CODE]: on another number of ranks
resume() {
    ranks "${3:-1}" --db "$1.db" >"$1.2.out" 2>"$1.2.err"
    rc=$?
    [ $rc = "${2:-0}" ] || fail "$1: resumed, exit $rc"
    same "$1.db"
    echo "$1: the same results"
}

disturb rank -KILL run
resume rank
disturb coordinator -KILL run
resume coordinator 0 2
disturb mpirun -KILL mpirun
resume mpirun 0 0
disturb usr1 -USR1 mpirun
[ $rc = 75 ] || fail "usr1: exit $rc"
[ "$(ask usr1.db "SELECT count(*) FROM attempts WHERE state = 'preempted' AND \
reason = 'stopped: SIGUSR1' AND steps > 0")" = 2 ] ||
    fail "usr1: attempts were not preempted in order"
resume usr1
[ "$(ask usr1.db "SELECT count(*) FROM attempts WHERE resumed_step > 0")" = 2 ] ||
    fail "usr1: no checkpoint was used"
disturb term -TERM run
resume term

# a child costs its run an attempt, and the study nothing
disturb child -KILL child survives
[ $rc = 0 ] || fail "child: exit $rc"
[ "$(ask child.db "SELECT count(*) FROM attempts WHERE state = 'failed' AND \
reason LIKE 'killed by signal 9%'")" = 1 ] || fail "child: not recorded"
same child.db
echo "child: the same results"

shm_clean
