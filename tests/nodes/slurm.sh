# shellcheck shell=bash
# slurm: Slurm on the three nodes of lib.sh: controller on node1, a daemon on
# each, everything below $dir.  To be sourced after lib.sh; nodes_up with
# NODE_TMPFS=$dir/pmix, slurm_up, then sbatch, squeue and friends by `on node1`.

for tool in slurmctld slurmd munged sbatch; do
    command -v $tool >/dev/null || PATH=$PATH:/usr/sbin
    command -v $tool >/dev/null || skip "$tool is missing (slurm-wlm, munge)"
done

: "${dir:=}" # of setup

slurm_conf() {
    cat <<END
ClusterName=test
SlurmctldHost=node1(10.77.0.1)
AuthType=auth/munge
AuthInfo=socket=$dir/slurm/munge.socket
CryptoType=crypto/munge
SlurmUser=root
SlurmctldPidFile=$dir/slurm/ctld.pid
SlurmdPidFile=$dir/slurm/d.%n.pid
SlurmdSpoolDir=$dir/slurm/spool.%n
StateSaveLocation=$dir/slurm/state
SlurmctldLogFile=$dir/slurm/ctld.log
SlurmdLogFile=$dir/slurm/d.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
ReturnToService=2
MpiDefault=pmix
KillWait=5
JobRequeue=1
SlurmdTimeout=30
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    for i in 1 2 3; do
        echo "NodeName=node$i NodeAddr=10.77.0.$i CPUs=2 RealMemory=100"
    done
}

# A key and a socket of our own; munged wants safe directories.
munge_up() {
    mkdir -p slurm/munge
    chmod 755 slurm "$dir"
    dd if=/dev/urandom of=slurm/munge/key bs=1 count=1024 2>/dev/null
    chmod 600 slurm/munge/key
    munged --force --socket="$dir/slurm/munge.socket" \
        --key-file="$dir/slurm/munge/key" --pid-file="$dir/slurm/munge/pid" \
        --log-file="$dir/slurm/munge/log" --seed-file="$dir/slurm/munge/seed" ||
        fail "munged"
}

slurm_up() {
    local i
    mkdir -p slurm/state slurm/spool.node{1,2,3}
    munge_up
    slurm_conf >slurm/slurm.conf
    echo "PMIxCliTmpDirBase=$dir/pmix" >slurm/mpi.conf
    export SLURM_CONF=$dir/slurm/slurm.conf
    on node1 slurmctld -c || fail "slurmctld"
    for i in 1 2 3; do on node$i slurmd -N node$i || fail "slurmd"; done
    for _ in $(seq 100); do
        [ "$(on node1 sinfo -h -t idle -o %D 2>/dev/null)" = 3 ] && return
        sleep 0.2
    done
    tail -n 20 slurm/*.log >&2
    fail "the nodes do not become idle"
}

# job_ends ID SECONDS: wait until it is no longer known as running or waiting.
job_ends() {
    local state
    for _ in $(seq $(($2 * 5))); do
        state=$(on node1 squeue -h -j "$1" -o %T 2>/dev/null)
        [ -z "$state" ] && return
        sleep 0.2
    done
    on node1 scontrol show job "$1" >&2
    return 1
}
