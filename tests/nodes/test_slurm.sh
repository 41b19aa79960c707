#!/bin/bash
# The batch scripts of packaging/slurm on a Slurm of three nodes: stopped by the
# announced signal, requeued, and finished, with the results of an undisturbed
# study.  LOGLOG_SLURM_LOG: keep the log of the jobs there.
# shellcheck source=tests/nodes/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/../mpi/lib.sh"
LOGLOG=$(readlink -f "$LOGLOG")
scripts=$(readlink -f "$(dirname "$0")/../../packaging/slurm")
# shellcheck source=tests/nodes/slurm.sh
. "$(dirname "$0")/slurm.sh"
setup
slow=$(slowly 2)
mkdir pmix
NODE_TMPFS=$dir/pmix nodes_up 3
slurm_up
unset OMPI_MCA_btl_vader_backing_directory # a node has its own /dev/shm
export OMPI_MCA_btl_tcp_if_include=eth0 OMPI_MCA_oob_tcp_if_include=eth0
export OMPI_MCA_mpi_yield_when_idle=1 LOGLOG

# batch SCRIPT DB OPTIONS...: submit, signal it when it trains, let it be
# requeued and finish
batch() {
    local script=$1 db=$dir/$2 id
    shift 2
    id=$(LOGLOG_FAULT=$slow on node1 sbatch --parsable -N 3 -n 5 -t 5 \
        --output=job.%j.out "$@" "$scripts/$script" study.yaml "$db") ||
        fail "sbatch $script"
    training "$db" 2
    on node1 squeue -o "%i %j %T %N %r" >>squeue.log
    # what Slurm does at the time of --signal
    case $script in
    srun*) on node1 scancel --signal=USR1 "$id" ;;      # to the step
    *) on node1 scancel --batch --signal=USR1 "$id" ;; # to the script
    esac
    for _ in $(seq 150); do
        grep -q "run the same command to go on" "job.$id.out" && break
        sleep 0.2
    done
    # Slurm holds a requeued job for two minutes, in which the old step goes
    sleep 4
    for _ in $(seq 300); do
        [ "$(ask "$db" "SELECT count(*) FROM events WHERE text LIKE \
'finished:%'")" -ge 1 ] && break
        on node1 scontrol update jobid="$id" StartTime=now 2>/dev/null
        on node1 scontrol release "$id" 2>/dev/null
        sleep 0.2
    done
    job_ends "$id" 60 || fail "$script: job $id does not end"
    [ -n "${LOGLOG_SLURM_LOG:-}" ] &&
        { echo "== $script"; cat squeue.log "job.$id.out"; } \
            >>"$LOGLOG_SLURM_LOG"
    cp "job.$id.out" "$script.err"
    grep -q "SIGUSR1: stopping in order, [1-9].* to checkpoint" "job.$id.out" ||
        fail "$script: not stopped in order"
    [ "$(ask "$db" "SELECT count(*) FROM attempts WHERE state = 'preempted' AND \
reason = 'stopped: SIGUSR1' AND steps > 0")" -ge 2 ] ||
        fail "$script: not preempted at a checkpoint"
    [ "$(ask "$db" "SELECT count(*) FROM attempts WHERE resumed_step > 0 AND \
state = 'done'")" -ge 2 ] || fail "$script: not resumed"
    [ "$(ask "$db" "SELECT sum(failures) FROM runs")" = 0 ] ||
        fail "$script: preemption counts as failure"
    same "${db#"$dir"/}"
    echo "$script: stopped, requeued, finished: the same results"
}

batch mpirun.sbatch mpirun.db
batch srun.sbatch srun.db
