#!/bin/sh
# A second launch on a database that is being written is refused, says who
# writes it, and disturbs nothing.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"
setup
slow=$(slowly)

LOGLOG_FAULT=$slow ranks 2 --db both.db >first.out 2>first.err &
job=$!
training both.db 2
ranks 2 --db both.db >second.out 2>second.err
rc=$?
[ $rc = 4 ] || fail "the second launch: exit $rc"
grep -q "pid" second.err || fail "it does not say who has the database"
[ "$(pids run | wc -l)" = 2 ] || fail "the first launch lost ranks"
kill -USR1 "$(pids mpirun)"
wait $job
rc=$?
[ $rc = 75 ] || fail "the first launch: exit $rc"
ranks 2 --db both.db >third.out 2>third.err || fail "the third launch: $?"
same both.db
gone || fail "processes are left"
echo "two launches at once: the second is refused"
