#!/bin/sh
# The samples for PBS and Flux, as they are, against stand-ins of the schedulers'
# commands (Debian has neither): the first turn stops in order before its time is
# over, the next one finishes with the results of an undisturbed study.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"
packaging=$(readlink -f "$(dirname "$0")/../../packaging")
setup
LOGLOG_FAULT=$(slowly)
export LOGLOG_FAULT PATH="$dir/bin:$PATH"
export OMPI_MCA_rmaps_base_oversubscribe=1

# qsub -v NAME=VALUE,... SCRIPT: a turn of two hours on two slots of this host;
# flux {job timeleft | resource list | run -n N -o OPTION COMMAND...}
mkdir bin
cat >bin/qsub <<'END'
#!/bin/sh
[ "$1" = -v ] || exit 2
echo "$2" >>qsub.asked
echo "$2" | tr ',' '\n' >qsub.variables
while read -r variable; do export "${variable?}"; done <qsub.variables
[ -n "${TURN:-}" ] || unset PBS_WALLTIME LOGLOG_FAULT
TURN='' PBS_O_WORKDIR=$PWD PBS_NODEFILE=$PWD/nodes exec bash "$3"
END
cat >bin/flux <<'END'
#!/bin/sh
case "$1 $2" in
'job timeleft') echo "${TIMELEFT:-7200}.5" ;;
'resource list') echo 2 ;;
'run -n')
    [ "$4 $5" = '-o exit-on-error' ] || exit 2
    n=$3 && shift 5 && exec mpirun --bind-to none -n "$n" "$@"
    ;;
*) exit 2 ;;
esac
END
chmod +x bin/qsub bin/flux
printf '%s\n%s\n' "$(hostname)" "$(hostname)" >nodes

export SCRIPT="$packaging/pbs/mpirun.pbs"
TURN=first PBS_WALLTIME=4 GRACE=3 timeout -k 5 100 qsub \
    -v "STUDY=study.yaml,DB=pbs.db,LOGLOG=$LOGLOG" "$SCRIPT" >pbs.out 2>pbs.err
rc=$?
[ "$(wc -l <qsub.asked)" = 2 ] || fail "PBS: no second turn"
grep -q "stopped by time limit" pbs.err || fail "PBS: the first turn did not stop"
[ "$(ask pbs.db "SELECT count(*) FROM events WHERE kind = 'start'")" = 2 ] ||
    fail "PBS: turns"
grep -q "2 slots on 1 node" pbs.err || fail "PBS: not on the slots of the job"
unset LOGLOG_FAULT
same pbs.db

for left in 4 7200; do
    [ $left = 4 ] && LOGLOG_FAULT=$(slowly) && export LOGLOG_FAULT
    TIMELEFT=$left GRACE=3 timeout -k 5 100 bash "$packaging/flux/run.flux" \
        study.yaml flux.db >>flux.out 2>>flux.err
    rc="$rc $?"
    unset LOGLOG_FAULT
done
[ "$rc" = "75 75 0" ] || fail "exit codes: $rc"
grep -q "give the same flux batch command again" flux.out || fail "Flux: not said"
same flux.db
echo "PBS, Flux: stopped, another turn, finished: the same results"
