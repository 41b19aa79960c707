#!/bin/bash
# A study under Flux, ranks started by `flux run` within a batch instance.
#
#     flux batch -n 32 -t 2h packaging/flux/run.flux examples/quickstart.yaml
#
# The time that is left is asked of Flux (`flux job timeleft`, seconds) and told
# to loglog, which stops by itself two minutes before.  Written after the manual and
# tried against a stand-in of the command (tests/mpi/test_batch.sh); not run on a
# Flux.

set -u
study=${1:?usage: flux batch ... run.flux STUDY [DB]}
db=${2:-${study%.yaml}.db}
LOGLOG=${LOGLOG:-loglog}
left=$(flux job timeleft) || left=inf
limit=()
if [ "$left" != inf ] && [ "${left%.*}" -gt 0 ]; then
    limit=(--time-limit "$left" --grace "${GRACE:-120}")
fi

# A rank a task; Flux offers PMI to Open MPI.  A lost rank ends the job
# (exit-on-error); the next turn goes on from the database.
flux run -n "$(flux resource list -s free -no '{ncores}')" \
    -o exit-on-error "$LOGLOG" run "$study" --db "$db" "${limit[@]}"
rc=$?

# 75: stopped early, resumable.
if [ "$rc" -eq 75 ]; then
    echo "stopped early: give the same flux batch command again"
fi
exit "$rc"
