#!/bin/bash
# A node is lost in the middle: launch goes on without it, and the results are
# those of an undisturbed study.
# shellcheck source=tests/nodes/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/../mpi/lib.sh"
LOGLOG=$(readlink -f "$LOGLOG")
setup
nodes_up 3
slow=$(slowly 2)

LOGLOG_FAULT=$slow on node1 timeout -k 5 120 "$LOGLOG" launch --pause 0.1 \
    --mca plm_rsh_agent "$NSEXEC" --mca btl_tcp_if_include eth0 \
    --mca oob_tcp_if_include eth0 --mca orte_keep_fqdn_hostnames 1 \
    -x LOGLOG_FAULT --bind-to none --host node1:1,node2:1,node3:1 -n 3 -- \
    run study.yaml --db "$dir/lost.db" >lost.out 2>lost.err &
job=$!
training lost.db 2
grep -q "3 slots on 3 nodes" lost.err || fail "not on three nodes"
victim=$(ask lost.db "SELECT host FROM attempts WHERE state = 'running' AND host \
<> 'node1' LIMIT 1")
node_dies "${victim:-node3}"
wait $job || fail "launch: exit $?"
grep -q "${victim:-node3} does not answer: going on without it" lost.err ||
    fail "the lost node was not told"
[ "$(ask lost.db "SELECT count(*) FROM events WHERE kind = 'start'")" = 2 ] ||
    fail "expected two starts"
[ "$(grep -c "slots on" lost.err)" = 2 ] || fail "no second start"
grep -q "2 slots on 2 nodes" lost.err || fail "not on the two nodes left"
same lost.db
echo "a lost node: the same results on the others"
