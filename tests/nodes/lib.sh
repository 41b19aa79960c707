# shellcheck shell=bash
# lib: a cluster of three nodes on one machine, out of namespaces.
#
# A node is a network, host name and /dev/shm of its own, joined to the others by
# a bridge; processes and files are shared, as on a cluster with one file system.
# Everything lives in a network, mount and process namespace of this test:
# when it ends the kernel removes it all, whatever happened.
#
#   nodes_up N          node1 .. nodeN
#   on NODE COMMAND...  run there
#   NSEXEC              the program that mpirun uses in place of ssh
#   node_dies NODE      all its processes are killed and its link goes down
#   node_returns NODE   its link is up again
set -u

skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

if [ -z "${LOGLOG_IN_NODES:-}" ]; then
    [ "$(id -u)" = 0 ] || skip "needs root, for namespaces"
    for tool in ip unshare nsenter; do
        command -v $tool >/dev/null || skip "$tool is missing"
    done
    unshare -n -m -u -p -f --kill-child --mount-proc true 2>/dev/null ||
        skip "namespaces are not allowed here"
    LOGLOG_IN_NODES=1 exec unshare -n -m -u -p -f --kill-child --mount-proc \
        "$0" "$@"
fi

declare -A node_pid

nodes_up() {
    local i pid
    hostname head
    mount --make-rprivate /
    ip link set lo up
    ip link add bridge0 type bridge 2>/dev/null ||
        skip "the kernel makes no bridges here"
    ip link set bridge0 up
    {
        echo 127.0.0.1 localhost
        for i in $(seq "$1"); do echo "10.77.0.$i node$i"; done
    } >hosts.nodes
    mount --bind hosts.nodes /etc/hosts
    for i in $(seq "$1"); do
        # shellcheck disable=SC2016 # expands there
        unshare -n -u -m bash -c 'hostname "$0"
            mount -t tmpfs tmpfs /dev/shm
            for d in "$@"; do mount -t tmpfs tmpfs "$d"; done
            ip link set lo up
            touch "up.$0"
            exec sleep infinity' "node$i" ${NODE_TMPFS:-} &
        pid=$!
        node_pid[node$i]=$pid
        while [ ! -e "up.node$i" ]; do sleep 0.02; done
        ip link add "veth$i" type veth peer name eth0 netns "$pid" ||
            skip "the kernel makes no veth pairs here"
        ip link set "veth$i" master bridge0 up
        nsenter -t "$pid" -n ip addr add "10.77.0.$i/24" dev eth0
        nsenter -t "$pid" -n ip link set eth0 up
    done
    write_nsexec "$1"
}

on() {
    local node=$1
    shift
    # shellcheck disable=SC2016 # expands there
    nsenter -t "${node_pid[$node]}" -n -u -m -- \
        bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

# mpirun's agent: nsexec HOST COMMAND, like ssh; a dead node does not answer.
write_nsexec() {
    local i
    {
        echo '#!/bin/bash'
        echo 'h=$1; shift; case $h in'
        for i in $(seq "$1"); do echo "node$i) p=${node_pid[node$i]} ;;"; done
        # shellcheck disable=SC2016
        echo '*) exit 255 ;; esac
[ -e "'"$PWD"'/dead.$h" ] && { echo "$h: no route to host" >&2; exit 255; }
exec nsenter -t "$p" -n -u -m -- bash -c "cd '"$PWD"'; $*"'
    } >nsexec
    chmod +x nsexec
    export NSEXEC=$PWD/nsexec
}

# The processes of a node, but the one that holds it.
node_pids() {
    local net pid
    net=$(readlink "/proc/${node_pid[$1]}/ns/net")
    for pid in /proc/[0-9]*; do
        [ "$(readlink "$pid/ns/net" 2>/dev/null)" = "$net" ] || continue
        pid=${pid#/proc/}
        [ "$pid" = "${node_pid[$1]}" ] || echo "$pid"
    done
}

node_dies() {
    touch "dead.$1"
    ip link set "veth${1#node}" down
    # shellcheck disable=SC2046 # one word a process
    kill -9 $(node_pids "$1")
}

node_returns() {
    rm "dead.$1"
    ip link set "veth${1#node}" up
}
