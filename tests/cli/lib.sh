# shellcheck shell=bash
# lib: what the tests of the command line share.
#
# LOGLOG is the program, LOGLOG_SOURCE the source tree; a test runs in a
# directory of its own, $dir, that is removed at its end.
set -uo pipefail
export LC_ALL=C.UTF-8
unset LOGLOG_FAULT LOGLOG_LOG
LOGLOG=${LOGLOG:?the program}
LOGLOG_SOURCE=${LOGLOG_SOURCE:?the source tree}
export LOGLOG_SCRIPTS=$LOGLOG_SOURCE/scripts
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

dir=$(mktemp -d "${TMPDIR:-/tmp}/loglog-cli.XXXXXX")
mounts=()
failures=0
claims=0

finish() {
    local m
    for m in "${mounts[@]}"; do
        umount "$m"
    done
    rm -rf "$dir"
}
trap finish EXIT
cd "$dir" || exit 1

ok() {
    claims=$((claims + 1))
}
not_ok() {
    claims=$((claims + 1))
    failures=$((failures + 1))
    printf 'NOT OK: %s\n' "$*"
}
skip() { # the whole test
    printf 'skipped: %s\n' "$*"
    exit 77
}
# To be the last line of a test.
conclude() {
    printf '%d claims, %d failures\n' "$claims" "$failures"
    [ "$failures" -eq 0 ] && [ "$claims" -gt 0 ]
    exit
}

# run COMMAND...: into $rc, files out and err.
run() {
    rc=0
    "$@" >out 2>err </dev/null || rc=$?
    command_line=$*
}
show() {
    sed 's/^/    out: /' out | head -20
    sed 's/^/    err: /' err | head -20
}

# exits CODE COMMAND...
exits() {
    local code=$1
    shift
    run "$@"
    if [ "$rc" -eq "$code" ]; then
        ok
    else
        not_ok "exit $rc, expected $code: $command_line"
        show
    fi
}
# refuses CODE TEXT COMMAND...: that exit code, nothing on stdout, and one line
# on stderr that holds TEXT (an extended regular expression).
refuses() {
    local code=$1 text=$2
    shift 2
    run "$@"
    if [ "$rc" -eq "$code" ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] &&
        grep -qE -- "$text" err; then
        ok
    else
        not_ok "exit $rc, expected $code and one line with '$text': $command_line"
        show
    fi
}
# says TEXT: the last command did, on stdout.
says() {
    if grep -qE -- "$1" out; then
        ok
    else
        not_ok "no '$1' on stdout of: $command_line"
        show
    fi
}
# A file system of SIZE at $dir/NAME, or skip this part (return 1).
small_disk() { # NAME SIZE
    mkdir -p "$1"
    mount -t tmpfs -o "size=$2" loglog-test "$dir/$1" 2>/dev/null || return 1
    mounts+=("$dir/$1")
}
# A directory nobody may write, root included: $dir/NAME.  Its content is made
# by the caller before.
read_only() {
    if [ "$(id -u)" -ne 0 ]; then
        chmod a-w "$1"
        return
    fi
    mount --bind "$1" "$1" 2>/dev/null || return 1
    mounts+=("$dir/$1")
    mount -o remount,bind,ro "$dir/$1" 2>/dev/null
}
