#!/bin/sh
# Hopeless cells of a grid stop part of the way: the same ones on 1, 2 and 4
# ranks and after a kill, marked as stopped, in no fit, and without regret.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"

# Two grids of one model; the rates reach from far too low to good.
study() {
    cat >study.yaml <<END
study: tiny
data: {train: data/train, valid: data/valid, seq_len: 32}
model: {family: deepseek-llm, vocab: 256, head_dim: 16, aspect: 24, init_std: 0.05}
train: {seeds: [1, 2], schedule: {warmup: 0.05, warmup_shared: true}}
stages:
  - hyper: {flops: [3e8, 6e8], width: 16, lr: [1e-4, 4e-3, 8e-3], batch: [128, 256], extend: 0, early: {at: 0.4, margin: 0.05}}
END
}
setup

sed 's/, early:.*/}/' study.yaml >complete.yaml
"$LOGLOG" run complete.yaml --db complete.db --slots 2 >complete.out 2>&1
[ $? -le 1 ] || fail "the complete grid: $?"

stopped() {
    ask "$1" "SELECT run, reason FROM runs WHERE state = 'stopped' ORDER BY run"
}
for n in 1 2 4; do
    ranks $n --db on$n.db >on$n.out 2>on$n.err
    [ $? -le 1 ] || fail "$n ranks: $?"
    stopped on$n.db >on$n.stopped
    table on$n.db >on$n.table
    cmp -s on1.stopped on$n.stopped || fail "$n ranks stop others"
    cmp -s on1.table on$n.table || fail "$n ranks: other results"
done
[ "$(grep -c 'early: at 40 %' on1.stopped)" -ge 4 ] || fail "nothing stops"
grep -q "are hopeless at 40 % of their steps" on2.err || fail "it is not said"

# what stops is what is bad in the end, and costs what it trained
bad=$(ask complete.db "SELECT p.run FROM points p JOIN optima o USING \
(stage_id, budget) WHERE p.bpb > 1.01 * o.bpb ORDER BY p.run")
for run in $(cut -d , -f 1 on1.stopped); do
    echo "$bad" | grep -q "^$run$" || fail "run $run was nearly optimal"
done
[ "$(ask complete.db "SELECT run, bpb FROM optima")" = \
    "$(ask on1.db "SELECT run, bpb FROM optima")" ] || fail "regret"
[ "$(ask on1.db "SELECT count(*) FROM points WHERE used AND run IN (SELECT run \
FROM runs WHERE state = 'stopped')")" = 0 ] || fail "a stopped run is a point"
[ "$(ask on1.db "SELECT flops_stopped > 0.3 * (SELECT sum(flops) FROM runs \
WHERE state = 'stopped') FROM cost")" = 1 ] || fail "nothing is spared"

# one that is tried again by request is trained to its end, also by a later launch
run=$(head -n 1 on1.stopped | cut -d , -f 1)
"$LOGLOG" retry on1.db "$run" >retry.out 2>retry.err || fail "retry: $?"
ranks 0 --db on1.db --time-limit 0.001 >retry.out 2>retry.err
[ $? = 75 ] || fail "the launch between: $?"
ranks 0 --db on1.db --slots 2 >retry.out 2>retry.err
[ $? -le 1 ] || fail "tried again: $?"
[ "$(ask on1.db "SELECT state FROM runs WHERE run = $run")" = "done" ] ||
    fail "a run that was to be tried again: $(stopped on1.db)"

# killed at any time
for n in 1 5; do
    LOGLOG_FAULT=child-slow:every timeout -k 5 100 "$LOGLOG" run study.yaml \
        --db kill.db --slots 2 >kill.out 2>kill.err &
    job=$!
    sleep "1.$n"
    pids run | while read -r p; do kill -9 "$p"; done
    wait $job 2>/dev/null
    gone || fail "orphans"
done
ranks 2 --db kill.db >kill.out 2>kill.err
stopped kill.db >kill.stopped
table kill.db >kill.table
cmp -s on1.stopped kill.stopped || fail "after kills others stop"
cmp -s on1.table kill.table || fail "after kills: other results"
exit 0
