# shellcheck shell=sh
# lib: what the tests of the runner share.  A tiny real study: made-up text,
# eight runs of a few hundred milliseconds.  LOGLOG is the program.
#
#   setup              a new directory with data and study.yaml, current
#   ranks N ARGS...    loglog run under mpirun -n N (0: without mpirun)
#   table DB           every number that must not depend on how it was run
#   fail TEXT          end the test
set -u

: "${LOGLOG:?the program to test}"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
unset LOGLOG_FAULT

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    for log in ./*.err; do
        [ -f "$log" ] && printf -- '--- %s\n' "$log" >&2 && tail -n 20 "$log" >&2
    done
    exit 1
}

setup() {
    dir=$(mktemp -d /tmp/loglog-test-XXXXXX) || exit 1
    trap finish EXIT
    cd "$dir" || exit 1
    # what a killed mpirun leaves goes with the directory
    mkdir tmp shm
    export TMPDIR="$dir/tmp" OMPI_MCA_btl_vader_backing_directory="$dir/shm"
    awk 'BEGIN {
        srand(7)
        n = split("the sea was calm and a ship came from the north with grain" \
                  " salt iron oil wine wool and news of a storm that had sunk" \
                  " three others off the cape in the night of the new moon", w)
        for (d = 0; d < 40; d++) {
            file = sprintf("text%02d", d)
            for (i = 0; i < 400; i++)
                printf "%s%s", w[int(rand() * n) + 1],
                       i % 11 == 10 ? ".\n" : " " > file
            close(file)
        }
    }'
    mkdir text && mv text?? text/
    "$LOGLOG" data pack --out data --valid-bytes 8000 text >pack.out 2>pack.err ||
        fail "data pack"
    study
}

# Eight runs of 27 to 190 steps; those of 190 are the first to start.
study() {
    cat >study.yaml <<END
study: tiny
data: {train: data/train, valid: data/valid, seq_len: 32}
model: {family: deepseek-llm, vocab: 256, head_dim: 16, aspect: 24}
train:
  seeds: [1, 2]
stages:
  - isoflop: {flops: [3e8, 6e8], M: [24576, 86016], hyper: {lr: 4e-3, batch: 128}, extend: 0}
END
}

# slowly: LOGLOG_FAULT under which the two longest runs take 50 ms a step, so
# that there is time to disturb them; they are the first to start.  slowly N: only
# in attempts 1 and N.
slowly() {
    if [ ! -f names.db ]; then
        # a launch whose time is over at once plans and stops
        ranks 0 --db names.db --time-limit 0.001 >names.out 2>names.err
        rc=$?
[ $rc = 75 ] || fail "a time limit that is over must stop with 75"
    fi
    ask names.db "SELECT run FROM runs ORDER BY predicted_seconds DESC, run \
LIMIT 2" | while read -r run; do
        if [ -n "${1:-}" ]; then
            echo "child-slow:every:run=$run:attempt=1"
            echo "child-slow:every:run=$run:attempt=$1"
        else
            echo "child-slow:every:run=$run"
        fi
    done | paste -s -d ,
}

# The processes of this test: whatever has our directory's name in its command
# line or works in it.
ours() {
    for p in /proc/[0-9]*; do
        pid=${p#/proc/}
        [ "$pid" = $$ ] && continue
        [ "$(readlink "$p/cwd" 2>/dev/null)" = "$dir" ] || continue
        comm=$(cat "$p/comm" 2>/dev/null) || continue
        case $comm in loglog* | exe | mpirun | orterun) echo "$pid $comm" ;; esac
    done
}

# pids KIND: mpirun, run (rank processes) or child
pids() {
    ours | while read -r pid comm; do
        words=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)
        case $1:$comm:$words in
        mpirun:mpirun:* | mpirun:orterun:*) echo "$pid" ;;
        run:loglog*:*" run "*) echo "$pid" ;;
        child:loglog*:*" child "*) echo "$pid" ;;
        esac
    done
}

# Processes get their time to notice; whoever is left then is an orphan.
gone() {
    for _ in $(seq 100); do
        [ -z "$(ours)" ] && return 0
        sleep 0.1
    done
    ours >&2
    return 1
}

finish() {
    rc=$?
    ours | while read -r pid _; do kill -9 "$pid" 2>/dev/null; done
    cd / && rm -rf "$dir"
    exit $rc
}

ranks() {
    n=$1
    shift
    if [ "$n" = 0 ]; then
        timeout -k 5 100 "$LOGLOG" run study.yaml "$@"
    else
        timeout -k 5 100 mpirun --oversubscribe --bind-to none -n "$n" \
            "$LOGLOG" run study.yaml "$@"
    fi
}

ask() {
    "$LOGLOG" query "$1" "$2" --csv | tail -n +2 | tr -d '\r'
}

table() {
    "$LOGLOG" query "$1" "SELECT stage, run, budget, steps, loss, bpb, used, \
why FROM points ORDER BY stage_id, ord" --csv
    "$LOGLOG" query "$1" "SELECT run, step, tokens, loss, lr, grad_norm FROM \
curves ORDER BY run, step" --csv
    "$LOGLOG" query "$1" "SELECT run, step, valid_set, loss, bpb FROM \
evaluations ORDER BY run, step, valid_set" --csv
    "$LOGLOG" query "$1" "SELECT run, step, valid_set, first, last, loss, bpb \
FROM positions ORDER BY run, step, valid_set, first" --csv
    "$LOGLOG" query "$1" "SELECT law, n, identified, refused, input FROM fits \
ORDER BY fit" --csv
}

# same DB: as the undisturbed study, which is made once
same() {
    if [ ! -f calm.db ]; then
        ranks 0 --db calm.db --slots 2 >calm.out 2>calm.err
        echo $? >calm.rc
        table calm.db >calm.table || fail "no table"
        [ "$(wc -l <calm.table)" -gt 100 ] || fail "the table is too short"
    fi
    table "$1" >"$1.table" || fail "$1: no table"
    cmp -s calm.table "$1.table" || {
        diff calm.table "$1.table" | head -n 10 >&2
        fail "$1: the results differ from those of an undisturbed study"
    }
    twice=$(ask "$1" "SELECT count(*) FROM (SELECT run FROM attempts WHERE \
state = 'done' GROUP BY run HAVING count(*) > 1)")
    [ "$twice" = 0 ] || fail "$1: runs were done twice"
}

# Wait until N children have trained for a while (their tapes have so many
# bytes).
training() {
    for _ in $(seq 400); do
        busy=$(find "$1.ckpt" -name reports -size +600c 2>/dev/null | wc -l)
        [ "$busy" -ge "${2:-1}" ] && return 0
        sleep 0.05
    done
    fail "$1: nothing trains"
}

# Nothing of ours in shared memory.
shm_clean() {
    for f in /dev/shm/loglog.*; do
        [ -e "$f" ] || continue
        pid=${f#/dev/shm/loglog.*.}
        pid=${pid%%.*}
        kill -0 "$pid" 2>/dev/null || fail "left behind: $f"
    done
}
