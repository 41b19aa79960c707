#!/bin/sh
# The results of a study do not depend on how many ranks, slots or members of
# a gang ran it.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"
setup

ranks 1 --db one.db >one.out 2>one.err || fail "one rank: $?"
same one.db
# a row for each run, and each of the positions 1, 2, 3-4, ..., and the waiting
[ "$(ask one.db "SELECT count(DISTINCT run) = (SELECT count(*) FROM points) \
AND max(last) = (SELECT max(seq_len) FROM runs) FROM positions")" = 1 ] ||
    fail "one rank: losses by position"
[ "$(ask one.db "SELECT count(*) FROM attempts WHERE data_seconds >= 0")" -ge 1 ] ||
    fail "one rank: what training waited for data"
[ "$(cat calm.rc)" = 0 ] || fail "without mpirun: $(cat calm.rc)"
ranks 2 --db two.db --bind spread >two.out 2>two.err || fail "two ranks: $?"
same two.db
ranks 4 --db four.db >four.out 2>four.err || fail "four ranks: $?"
same four.db
[ "$(ask four.db "SELECT count(DISTINCT ranks) FROM attempts")" -ge 3 ] ||
    fail "four ranks: some never worked"

# two ranks of two slots, every run by a gang of two
sed 's/^study: tiny/study: gangs/; s/^train:/train:\n  gang: 2/' study.yaml \
    >gangs.yaml
timeout -k 5 100 mpirun --oversubscribe --bind-to none -n 2 "$LOGLOG" run \
    gangs.yaml --slots 2 --db gangs.db >gangs.out 2>gangs.err ||
    fail "gangs: $?"
[ "$(ask gangs.db "SELECT min(gang) FROM attempts")" = 2 ] ||
    fail "gangs: some runs were alone"
same gangs.db

# runs that are resumed wider at a checkpoint when slots idle
LOGLOG_FAULT=$(slowly) ranks 2 --slots 2 --tail 0.5 --db tail.db >tail.out \
    2>tail.err || fail "tail: $?"
[ "$(ask tail.db "SELECT count(*) FROM attempts WHERE state = 'preempted' AND \
reason = 'widened from 1 to 2 processes' AND steps > 0")" -ge 1 ] ||
    fail "tail: nothing was widened"
[ "$(ask tail.db "SELECT count(*) FROM attempts WHERE gang = 2 AND \
resumed_step > 0 AND state = 'done'")" -ge 1 ] || fail "tail: not resumed wider"
same tail.db

# the same command again: nothing to do, nothing done
before=$(ask two.db "SELECT count(*) FROM attempts")
ranks 2 --db two.db >again.out 2>again.err || fail "again: $?"
[ "$(ask two.db "SELECT count(*) FROM attempts")" = "$before" ] ||
    fail "a finished study was run again"
same two.db

gone || fail "processes are left"
shm_clean
[ -d two.db.ckpt ] && fail "checkpoints of finished runs are left"
echo "same table on 0, 1, 2, 4 ranks and by gangs"
