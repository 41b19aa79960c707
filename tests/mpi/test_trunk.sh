#!/bin/sh
# Runs that share their first steps take them once, and the results are those of
# runs from scratch bit for bit: on 1, 2 and 4 ranks, with the trunk's run
# killed, its checkpoints damaged, and the coordinator killed.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"

# Three budgets of ratio 2 of two seeds: two trunks with two branches each.
study() {
    for t in false true; do
        cat >"$t.yaml" <<END
study: tiny
data: {train: data/train, valid: data/valid, seq_len: 32}
model: {family: deepseek-llm, vocab: 256, head_dim: 16, aspect: 24}
train: {seeds: [1, 2], eval_every: 40, schedule: {warmup: 0.05, warmup_shared: true}}
stages:
  - isoflop: {flops: [3e8, 6e8, 1.2e9], M: [86016], hyper: {lr: 4e-3, batch: 128}, extend: 0, trunk: $t}
END
    done
    cp false.yaml study.yaml
}
setup

shared() {
    ask "$1" "SELECT printf('%.0f %.0f', 100 * sum(flops_shared) / \
sum(flops), sum(flops_wasted)) FROM cost"
}

ranks 0 --db scratch.db --slots 2 >calm.out 2>calm.err || fail "scratch: $?"
table scratch.db >calm.table
cp calm.table calm.db # `same` compares with calm.table
[ "$(shared scratch.db)" = "0 0" ] || fail "scratch: $(shared scratch.db)"

cp true.yaml study.yaml
"$LOGLOG" plan study.yaml --json >plan.json || fail "plan"
saved=$(sed -n 's/.*"trunk_saved_flops": \([0-9.e+]*\).*/\1/p' plan.json | tail -n 1)
awk "BEGIN { exit !($saved > 2.8e9 / 2 && $saved < 3e9) }" ||
    fail "the plan says that trunks save $saved"
for n in 1 2 4; do
    ranks $n --db on$n.db --checkpoints on$n.ckpt >on$n.out 2>on$n.err ||
        fail "$n ranks: $?"
    same on$n.db
    # 0.8 (1 + 2) of 1 + 2 + 4, whole steps
    [ "$(shared on$n.db)" = "35 0" ] || fail "$n ranks: $(shared on$n.db)"
    [ ! -e on$n.ckpt ] || fail "left behind: $(find on$n.ckpt)"
done

# no room for trunks: everything from scratch
ranks 0 --slots 2 --disk 1000 --db room.db >room.out 2>room.err ||
    fail "no room: $?"
grep -q "disk: the checkpoints of the runs at work take .* written all the same" \
    room.err || fail "no room: not said"
same room.db
[ "$(shared room.db)" = "0 0" ] || fail "no room: $(shared room.db)"
# what a killed launch left of runs that are done goes with the next
mkdir -p room.db.ckpt/"$(ask room.db "SELECT max(run) FROM runs")"
ranks 0 --slots 2 --db room.db >room.out 2>room.err || fail "again: $?"
[ ! -e room.db.ckpt ] || fail "left behind: $(find room.db.ckpt)"

# the trunk's run is killed before and behind the place where a branch leaves
trunk=$(ask on1.db "SELECT trunk FROM runs WHERE trunk IS NOT NULL LIMIT 1")
for step in 20 50; do
    LOGLOG_FAULT=child-kill:step=$step:run=$trunk:attempt=1 \
        ranks 2 --db kill$step.db >kill.out 2>kill.err || fail "killed: $?"
    grep -q "queued again" kill.err || fail "it was not killed"
    same kill$step.db
done

# it fails for good: its branches train from scratch
LOGLOG_FAULT=child-kill:every:run=$trunk ranks 0 --slots 2 --db lost.db \
    >lost.out 2>lost.err
[ $? = 1 ] || fail "a lost trunk: $?"
[ "$(ask lost.db "SELECT count(*) FROM points p JOIN runs r USING (run) WHERE \
p.used AND r.trunk = $trunk")" = 2 ] || fail "its branches did not train"

# killed when the trunks are there, which are damaged then
for what in keep damage; do
    LOGLOG_FAULT=child-slow:every timeout -k 5 100 "$LOGLOG" run study.yaml \
        --db $what.db --slots 2 >$what.out 2>$what.err &
    job=$!
    for _ in $(seq 400); do
        [ -n "$(find $what.db.ckpt -name '*.trunk' 2>/dev/null)" ] && break
        sleep 0.02
    done
    pids run | while read -r p; do kill -9 "$p"; done
    wait $job 2>/dev/null
    gone || fail "$what: orphans"
    [ $what = keep ] || find $what.db.ckpt -name '*.trunk' | while read -r f; do
        printf x | dd of="$f" bs=1 seek=5000 conv=notrunc 2>/dev/null
    done
    ranks 0 --db $what.db --slots 2 >$what.out 2>$what.err || fail "$what: $?"
    same $what.db
    [ $what = keep ] || grep -q "damaged checkpoint" $what.err ||
        fail "nobody speaks of the damage"
    [ ! -e $what.db.ckpt ] || fail "$what: left behind: $(find $what.db.ckpt)"
done
exit 0
