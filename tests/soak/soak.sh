#!/bin/sh
# soak.sh [SECONDS [SEEDS]]: studies of 20 runs a seed under a random fault every
# two seconds, one study after the other until the time (600) is over; the last
# is left in peace to finish.  Every study must have the results of an undisturbed
# one, and nothing may be left: no process, no shared memory, no temporary file.
#
# A fault is due every two seconds of the clock, waits for its victim and is made
# up for when it had to wait.  Besides, each launch has faults of its own:
# the coordinator dies in the middle of a transaction, children in the middle of a
# checkpoint, a checkpoint finds no room, the clock jumps, two runs diverge.
#
# The seed of the faults is printed; SOAK_SEED=N repeats it.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/../mpi/lib.sh"
# Where it is allowed, in a /dev/shm of its own: what is left there is ours.
if [ -z "${SOAK_APART:-}" ] && unshare -m true 2>/dev/null; then
    SOAK_APART=1 exec unshare -m sh -c 'mount --make-rprivate / &&
        mount -t tmpfs tmpfs /dev/shm && exec "$0" "$@"' "$0" "$@"
fi
seconds=${1:-600}
seeds=${2:-10}
LOGLOG=$(readlink -f "$LOGLOG")
setup
unset OMPI_MCA_btl_vader_backing_directory # launch has to clean /dev/shm
seed=${SOAK_SEED:-$(date +%s)}

# 20 runs a seed; every step takes 50 ms in a first attempt, so that the faults
# find them at work
cat >study.yaml <<END
study: soak
data: {train: data/train, valid: data/valid, seq_len: 32}
model: {family: deepseek-llm, vocab: 256, head_dim: 16, aspect: 24}
train:
  seeds: [$(seq -s ', ' "$seeds")]
  max_attempts: 1000
  checkpoint: 1
stages:
  - isoflop: {flops: [1e8, 1.5e8, 2e8, 2.5e8, 3e8, 3.5e8, 4e8, 4.5e8, 5e8, 5.5e8], M: [24576, 86016], hyper: {lr: 4e-3, batch: 128}, extend: 0}
END
segments() {
    find /dev/shm -name 'vader_segment*' -o -name 'loglog.*' | sort
}
segments >segments.before

draw() { # the next number, in $drawn
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    drawn=$((seed / 65536))
}
one_of() { # a word of the list
    [ $# -gt 0 ] || return 1
    shift $((drawn % $#))
    echo "$1"
}
# The processes of the last launch, by a session of their own: quicker than
# `pids`, which looks at every process of the machine.
part() { # launch | child | mpirun | rank
    case $1 in
    child) pgrep -s "$launch" -f '^loglog child ' ;;
    mpirun) pgrep -s "$launch" -x mpirun ;;
    *) pgrep -s "$launch" -f "^$LOGLOG run " ;;
    esac
}
coordinator() { # who has the database
    sed -n 's/.*pid \([0-9]*\).*/\1/p' "$db.lock" 2>/dev/null
}


# Each process of a launch dies by itself after so many commits, each child in
# its third checkpoint.  Two runs diverge, here as in the undisturbed study.
slowly >/dev/null # plans
diverging=$(ask names.db "SELECT 'nan:every:run=' || run || ':step=' || (steps - 1) \
FROM runs ORDER BY ord LIMIT 2" | paste -s -d ,)
own_faults() {
    draw
    echo "child-slow:every:attempt=1,$diverging,clock-jump:n=$((drawn % 300)),\
commit-kill:n=$((60 + drawn % 200)),checkpoint-write:n=2,checkpoint-kill:n=3"
}

# One fault, of a kind that was drawn; its name is counted.  1: there is no victim
# now.
disturb() {
    # shellcheck disable=SC2046 # a word a process
    case $1 in
    0 | 1 | 2 | 3) what=child-killed sig=KILL who=$(one_of $(part child)) ;;
    4 | 5) what=child-segv sig=SEGV who=$(one_of $(part child)) ;;
    6 | 7) what=child-hangs sig=STOP who=$(one_of $(part child)) ;;
    8 | 9) what=rank-killed sig=KILL who=$(one_of $(part rank)) ;;
    10) what=coordinator-killed sig=KILL who=$(coordinator) ;;
    11) what=mpirun-killed sig=KILL who=$(one_of $(part mpirun)) ;;
    12) what=preempted sig=USR1 who=$launch ;;
    13) what=launch-killed sig=KILL who=$launch ;;
    14) # no run that begins now can read its data
        mv data data.away && sleep 0.5 && mv data.away data
        what=data-away sig=0 who=$launch
        ;;
    *) # it is refused, or takes the place of a launch that is starting
        LOGLOG_FAULT=$diverging timeout -s KILL 1 "$LOGLOG" run study.yaml \
            --db "$db" >>"$db.out" 2>>"$db.err"
        what=second-launch sig=0 who=$launch
        ;;
    esac
    [ -n "$who" ] && kill -$sig "$who" 2>/dev/null && echo $what >>faults
}

start_launch() {
    LOGLOG_FAULT=$(own_faults) setsid "$LOGLOG" launch \
        --pause 0.1 --tries 1000 --exit-by 3 --oversubscribe --bind-to none \
        -n 2 -- run study.yaml --slots 4 --hang 3 --db "$db" \
        >>"$db.out" 2>>"$db.err" &
    launch=$!
}

# Until the study has ended: start it again whenever launch has gone, and
# disturb it until $end.
one_study() {
    while :; do
        start_launch
        while kill -0 "$launch" 2>/dev/null; do
            now=$(date +%s)
            if [ "$now" -ge "$end" ] || [ "$now" -lt "$due" ]; then
                sleep 0.2
                continue
            fi
            if [ -z "$kind" ]; then
                draw
                kind=$((drawn % 16))
            fi
            draw
            if disturb "$kind"; then
                kind=
                due=$((due + 2))
            else
                sleep 0.1
            fi
        done
        wait "$launch"
        rc=$?
        [ $rc -le 1 ] && return
        gone || fail "$db: processes outlive a launch (exit $rc)"
    done
}

nothing_left() {
    gone || fail "$1: processes are left"
    segments | comm -13 segments.before - >segments.new
    while read -r f; do # another job's, if somebody has it mapped
        cat /proc/[0-9]*/maps 2>/dev/null | grep -q "$f" ||
            fail "$1: shared memory is left: $f"
    done <segments.new
    left=$(find . -name '*.tmp*' -o -path './tmp/ompi.*/pid.*' -prune | head -n 3)
    [ -z "$left" ] || fail "$1: temporary files are left: $left"
    [ -d "$1.ckpt" ] && fail "$1: checkpoints are left: $(ls "$1.ckpt")"
    "$LOGLOG" db check "$1" >check.out 2>&1 || fail "$1: $(cat check.out)"
}

echo "soak: $((20 * seeds)) runs a study, a fault every 2 s for $seconds s, seed \
$seed"
LOGLOG_FAULT=$diverging "$LOGLOG" run study.yaml --db calm.db --slots 2 >calm.out \
    2>calm.err
table calm.db >calm.table || fail "no table"
[ "$(ask calm.db "SELECT count(*), sum(state = 'diverged') FROM runs WHERE \
state IN ('done', 'diverged')")" = "$((20 * seeds)),2" ] ||
    fail "the undisturbed study: $(tail -n 3 calm.err)"
due=$(date +%s)
end=$((due + seconds))
kind=
: >faults
n=0
while [ "$(date +%s)" -lt "$end" ]; do
    n=$((n + 1))
    db=soak$n.db
    one_study
    same $db
    nothing_left $db
    ask $db "SELECT 'study $n: ' || count(*) || ' runs done in ' || \
(SELECT count(*) FROM attempts) || ' attempts, ' || (SELECT count(*) FROM events \
WHERE kind = 'start') || ' launches; the same results, nothing left' FROM runs \
WHERE state IN ('done', 'diverged')" | tr -d '"'
done
count() { # of the words in a file
    sort "$1" | uniq -c | sort -rn | awk '{ printf "%s%d %s", sep, $1, $2
        sep = ", "; n += $1 } END { printf "; %d in all\n", n }'
}
count faults
cat soak*.err | sed -n 's/.*LOGLOG_FAULT: \(.*-kill\)$/\1/p' >own
echo "by themselves: $(count own)"
