#!/bin/sh
# coordinator_cpu.sh RANKS...: CPU time of rank 0 and of the other ranks, as a share
# of a core, while a study of stand-ins (children that sleep and report) runs on so
# many ranks of this machine, oversubscribed.  Ten seconds each.
set -u
: "${LOGLOG:?the program}"
LOGLOG=$(readlink -f "$LOGLOG")
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
dir=$(mktemp -d /tmp/loglog-cpu-XXXXXX) || exit 1
trap 'cd /; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
cat >study.yaml <<'END'
study: cpu
data: {train: x, valid: y, seq_len: 128}
model: {vocab: 256, head_dim: 8, aspect: 8}
train: {seeds: [1, 2, 3, 4, 5, 6, 7, 8]}
stages:
  - isoflop: {flops: [1e11, 2e11, 4e11], sizes: 5, span: 8, hyper: {lr: 4e-3, batch: 512}, extend: 0}
END
ticks() { # of these processes, user and system
    for pid in "$@"; do
        sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }'
    done | awk '{ n += $1 } END { print n + 0 }'
}
for n in "${@:-2}"; do
    mpirun --oversubscribe --bind-to none -n "$n" "$LOGLOG" run study.yaml \
        --db "$n.db" --stand-in 0.05 --tail 0 >"$n.out" 2>&1 &
    job=$!
    for _ in $(seq 300); do
        grep -q "slots on" "$n.out" && break
        sleep 0.2
    done
    sleep 3
    first=$(sed -n 's/.*pid \([0-9]*\).*/\1/p' "$n.db.lock")
    others=$(for p in /proc/[0-9]*; do
        [ "$(readlink "$p/cwd" 2>/dev/null)" = "$dir" ] || continue
        tr '\0' ' ' <"$p/cmdline" | grep -q "^$LOGLOG run " &&
            [ "${p#/proc/}" != "$first" ] && echo "${p#/proc/}"
    done)
    a=$(ticks "$first")
    # shellcheck disable=SC2086 # a word a process
    b=$(ticks $others)
    sleep 10
    a=$(($(ticks "$first") - a))
    # shellcheck disable=SC2086
    b=$(($(ticks $others) - b))
    hz=$(getconf CLK_TCK)
    awk -v n="$n" -v a=$a -v b=$b -v hz="$hz" 'BEGIN {
        printf "%d ranks: rank 0 %.1f %% of a core, each other rank %.1f %%\n",
               n, 100 * a / hz / 10, 100 * b / hz / 10 / (n - 1) }'
    kill -USR1 $job
    wait $job
done
