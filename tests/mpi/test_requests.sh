#!/bin/sh
# cancel, retry and skip: while the study runs and while it does not, and what
# makes no sense is refused and changes nothing.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"
setup
slow=$(slowly) # plans names.db

state() { ask "$1" "SELECT state || ' ' || coalesce(reason, '') FROM runs WHERE \
run = $2"; }
# wants CODE TEXT COMMAND...: exit code, and text in its only line
wants() {
    code=$1 text=$2
    shift 2
    timeout 60 "$LOGLOG" "$@" >req.out 2>req.err
    rc=$?
    [ $rc = "$code" ] || fail "$*: exit $rc: $(cat req.out req.err)"
    cat req.out req.err | grep -q "$text" || fail "$*: $(cat req.out req.err)"
}
# until_is DB RUN STATE
until_is() {
    for _ in $(seq 200); do
        case $(state "$1" "$2") in "$3"*) return 0 ;; esac
        sleep 0.05
    done
    fail "$1: run $2 is $(state "$1" "$2"), expected $3"
}

# nobody writes the database
one=$(ask names.db "SELECT run FROM runs ORDER BY ord LIMIT 1")
two=$(ask names.db "SELECT run FROM runs ORDER BY ord LIMIT 1 OFFSET 1")
wants 2 "no run 4711" skip names.db "$one" 4711
wants 2 "'x' is no run" cancel names.db x
wants 2 "which run" cancel names.db
wants 2 "waits for its turn already" retry names.db "$one"
[ "$(state names.db "$one")" = "pending " ] || fail "a refusal changed a run"
wants 0 stopped skip names.db "$one"
[ "$(state names.db "$one")" = "stopped skipped by request" ] || fail skipped
wants 2 "given up already" cancel names.db "$two" "$one"
[ "$(state names.db "$two")" = "pending " ] || fail "half of it was done"
wants 0 pending retry names.db "$one"
wants 4 "no such file\|No such file" cancel nothing.db 1
[ -e nothing.db ] && fail "a database was made"

# a study that runs: one of two slow runs is cancelled, a waiting one skipped
LOGLOG_FAULT=$slow ranks 2 --db live.db >live.out 2>live.err &
job=$!
training live.db 2
long=$(ask live.db "SELECT run FROM runs WHERE state = 'running' ORDER BY run \
LIMIT 1")
wait_run=$(ask live.db "SELECT run FROM runs WHERE state = 'pending' ORDER BY \
predicted_seconds, run LIMIT 1")
wants 0 stopped skip live.db "$wait_run"
wants 0 pending retry live.db "$wait_run"
wants 0 "stopping at a checkpoint" cancel live.db "$long"
wants 2 "is stopped: it is given up already\|is running" skip live.db "$long"
until_is live.db "$long" "stopped cancelled by request"
until_is live.db "$wait_run" "done"
wants 2 "it has its result" cancel live.db "$wait_run"
wants 0 pending retry live.db "$long"
wait $job || fail "live: exit $?"
[ "$(ask live.db "SELECT count(*) FROM attempts WHERE run = $long AND \
resumed_step > 0 AND state = 'done'")" = 1 ] ||
    fail "live: the retry did not go on from the checkpoint"
[ "$(ask live.db "SELECT sum(failures) FROM runs")" = 0 ] ||
    fail "live: a request counts as a failure"
[ -d live.db.requests ] && fail "requests are left: $(ls live.db.requests)"
same live.db

# a failed run: tried again when the reason is gone, or left out
LOGLOG_FAULT=child-kill:run=$one:step=9:every ranks 2 --db poor.db >poor.out \
    2>poor.err
[ "$(ask poor.db "SELECT state FROM runs WHERE run = $one")" = failed ] ||
    fail "poor: it did not fail"
cp poor.db without.db
wants 0 pending retry poor.db --failed
ranks 0 --db poor.db >poor2.out 2>poor2.err
rc=$?
[ "$(state poor.db "$one")" = "done " ] || fail "poor: retried: exit $rc"
wants 0 stopped skip without.db "$one"
ranks 0 --db without.db >without.out 2>without.err
grep -q "failed: loglog" without.err && fail "a skipped run counts as failed"
[ "$(ask without.db "SELECT count(*) FROM points WHERE run = $one AND used")" \
    = 0 ] || fail "a skipped run is fitted"

# a request that nobody took up is carried out at the next launch
ranks 0 --db later.db --time-limit 0.001 >later.out 2>later.err
mkdir later.db.requests
echo "skip $two" >later.db.requests/1-1-1.ask
echo "make tea" >later.db.requests/1-1-2.ask
ranks 0 --db later.db --slots 2 >later2.out 2>later2.err
[ "$(state later.db "$two")" = "stopped skipped by request" ] ||
    fail "later: $(state later.db "$two")"
grep -q "^1 not a request" later.db.requests/1-1-2.said ||
    fail "nonsense was not refused"
gone || fail "processes are left"
echo "cancel, retry, skip: live, idle, refused, left for later"
