#!/bin/sh
# Two studies in one launch: they share slots and database, the first goes
# first, and each ends with the results it has alone.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"
setup

# the same runs under another seed: as long, and other results
sed 's/^study: tiny/study: other/; s/seeds: .1, 2./seeds: [3, 4]/' study.yaml \
    >other.yaml
timeout -k 5 100 "$LOGLOG" run other.yaml --db alone.db >alone.out \
    2>alone.err
alone=$?

both() {
    timeout -k 5 100 mpirun --oversubscribe --bind-to none -n 2 "$LOGLOG" run \
        study.yaml other.yaml --db "$@"
}
# results STUDY DB: the losses of one of the studies
results() {
    ask "$2" "SELECT stage, run, loss, bpb, used FROM points p WHERE study_id = \
(SELECT study_id FROM studies WHERE study = '$1') ORDER BY stage_id, ord"
}
# first DB: of the first eight attempts, those for the first study
first() {
    ask "$1" "SELECT count(*) FROM (SELECT run FROM attempts ORDER BY started, \
run LIMIT 8) JOIN runs USING(run) WHERE study = 'tiny'"
}

both both.db >both.out 2>both.err
rc=$?
ranks 0 --db calm.db >calm.out 2>calm.err
[ $rc = $(($? > alone ? 1 : alone)) ] || fail "both: exit $rc"
results tiny calm.db >tiny.alone
results other alone.db >other.alone
[ "$(wc -l <tiny.alone)" -ge 8 ] || fail "no results to compare"
for study in tiny other; do
    results $study both.db >$study.both
    cmp -s $study.alone $study.both || fail "$study: not the results it has alone"
done
[ "$(first both.db)" = 8 ] || fail "the first study did not go first"
for study in tiny other; do
    grep -q "^study $study" both.out || fail "the summary is not of both"
done

both turned.db --priority 1,2 >turned.out 2>turned.err
[ "$(first turned.db)" = 0 ] || fail "the higher priority did not go first"

# stopped and resumed: both
LOGLOG_FAULT=child-slow:every both stop.db >stop.out 2>stop.err &
job=$!
training stop.db 2
kill -USR1 "$(pids mpirun)"
wait $job
rc=$?
[ $rc = 75 ] || fail "stopped: exit $rc"
[ "$(ask stop.db "SELECT count(*) FROM events WHERE kind = 'stop' AND text LIKE \
'stopped by SIGUSR1%'")" = 2 ] || fail "stopped: not told of both"
both stop.db >stop2.out 2>stop2.err
for study in tiny other; do
    results $study stop.db | cmp -s - $study.alone || fail "$study: resumed"
done

# what makes no sense
refused() {
    text=$1
    shift
    timeout 20 "$LOGLOG" run study.yaml "$@" --db bad.db >bad.out 2>bad.err
    rc=$?
    [ $rc = 2 ] || fail "$*: exit $rc"
    grep -q "$text" bad.err || fail "$*: $(cat bad.err)"
}
refused "is also that of" study.yaml
refused "one number" --priority 1,2
refused "one number" other.yaml --priority 1,x
[ -e bad.db ] && fail "a database was made"

gone || fail "processes are left"
shm_clean
echo "two studies share the slots, in order of priority"
