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
unset OMPI_MCA_btl_vader_backing_directory # each has a /dev/shm
slow=$(slowly 2)

start() { # on all three, node1 with one rank and the others with two
    on node1 timeout -k 5 120 "$LOGLOG" launch --pause 0.1 \
        --mca plm_rsh_agent "$NSEXEC" --mca btl_tcp_if_include eth0 \
        --mca oob_tcp_if_include eth0 --mca orte_keep_fqdn_hostnames 1 \
        -x LOGLOG_FAULT --bind-to none --host node1:1,node2:2,node3:2 -n 5 -- \
        run study.yaml --db "$dir/lost.db"
}

# What the job has left on the lost node: ranks, segments, directories.
left_there() {
    node_pids "$1"
    on "$1" find /dev/shm -name 'vader_segment.*'
    find "tmp/ompi.$1.0" -name 'jf.*' 2>/dev/null
}

export LOGLOG_FAULT="$slow"
start >lost.out 2>lost.err &
job=$!
training lost.db 2
grep -q "5 slots on 3 nodes" lost.err || fail "not on three nodes"
victim=$(ask lost.db "SELECT host FROM attempts WHERE state = 'running' AND host \
<> 'node1' LIMIT 1")
victim=${victim:-node3}
node_dies "$victim"
wait $job || fail "launch: exit $?"
grep -q "$victim does not answer: going on without it" lost.err ||
    fail "the lost node was not told"
[ "$(ask lost.db "SELECT count(*) FROM events WHERE kind = 'start'")" = 2 ] ||
    fail "expected two starts"
[ "$(grep -c "slots on" lost.err)" = 2 ] || fail "no second start"
grep -q "3 slots on 2 nodes" lost.err || fail "not on the two nodes left"
same lost.db

# the node is back: the first rank there cleans up
[ "$(left_there "$victim" | wc -l)" -ge 3 ] || fail "nothing was left to clean"
node_returns "$victim"
start >back.out 2>back.err || fail "the node is back: exit $?"
[ -z "$(left_there "$victim")" ] || fail "left: $(left_there "$victim")"
echo "a lost node: the same results on the others, and nothing left there"
