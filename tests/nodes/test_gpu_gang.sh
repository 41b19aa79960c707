#!/bin/bash
# A gang of devices across two nodes, each with a network and a shared memory of
# its own: the CPU's curve; killed on the second node it goes on from its
# checkpoint.
# shellcheck source=tests/nodes/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/../mpi/lib.sh"
[ -n "${LOGLOG_PLUGINS:-}" ] || skip "no emulated device"
LOGLOG=$(readlink -f "$LOGLOG")
setup
nodes_up 2
mkdir boards

cat >study.yaml <<END
study: tiny
data: {train: data/train, valid: data/valid, seq_len: 16}
model: {family: deepseek-llm, vocab: 256, head_dim: 32, aspect: 32}
train: {seeds: [1], dtype: bf16, eval_tokens: 64, gang: 4, checkpoint: 1}
stages:
  - isoflop: {flops: [2e8], M: [24576], hyper: {lr: 4e-3, batch: 64}, extend: 0}
END
curve() {
    "$LOGLOG" query "$1" "SELECT step, loss FROM curves ORDER BY step" --csv |
        tail -n +2
}
"$LOGLOG" run study.yaml --db cpu.db --device cpu >cpu.out 2>cpu.err ||
    fail "on the CPU: $(tail -n 2 cpu.err)"

# slowly, so that there is a checkpoint, and killed on the second of two slots
# of node2
export LOGLOG_CUEMU="devices=2 boards=$PWD/boards"
LOGLOG_FAULT=child-slow:every:attempt=1,child-kill:step=30:rank=3:attempt=1 on node1 timeout -k 5 120 \
    mpirun --mca plm_rsh_agent "$NSEXEC" --mca btl_tcp_if_include eth0 \
    --mca oob_tcp_if_include eth0 --mca orte_keep_fqdn_hostnames 1 \
    -x LOGLOG_FAULT -x LOGLOG_CUEMU -x LOGLOG_PLUGINS --bind-to none \
    --host node1:1,node2:1 -n 2 \
    "$LOGLOG" run study.yaml --db "$dir/two.db" --slots 2 --device cuemu \
    >two.out 2>two.err || fail "on two nodes: $(tail -n 3 two.err)"
grep -q "4 slots on 2 nodes" two.err || fail "not on two nodes"
[ "$(ask two.db "SELECT group_concat(gang || ' ' || state, ' + ') FROM attempts")" \
    = "4 failed + 4 done" ] ||
    fail "attempts: $(ask two.db "SELECT gang, state, reason FROM attempts")"
[ "$(ask two.db "SELECT max(resumed_step) > 0 FROM attempts")" = 1 ] ||
    fail "not gone on with from a checkpoint"
curve cpu.db >cpu.curve
curve two.db >two.curve
paste -d , cpu.curve two.curve | awk -F , '
    $1 != $3 { print "other steps: " $0; bad = 1; exit }
    { d = $2 - $4; if (d < 0) d = -d; if (d > worst) worst = d }
    END { if (bad || NR < 30 || worst > 0.02) exit 1
          printf "a gang on two nodes: %d steps, largest difference of the loss " \
                 "%.4f\n", NR, worst }' || fail "not the curve of the CPU"
