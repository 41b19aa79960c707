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
[ -x "$LOGLOG" ] || {
    printf '%s: no such program\n' "$LOGLOG"
    exit 1
}
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
    sed 's/^/    out: /' out | head -8
    sed 's/^/    err: /' err | head -8
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

# ---- things to work on

# 24 documents of words in text/.
make_text() {
    mkdir -p text
    local i
    for i in $(seq 1 24); do
        seq -s ' ' "$i" $((i * 40)) >"text/doc$i"
    done
}
# Packed in packed/, and tiny.yaml, a study of eight runs of a moment each.
make_study() {
    make_text
    "$LOGLOG" data pack --out packed --valid-share 0.2 text >/dev/null ||
        not_ok "data pack"
    cat >tiny.yaml <<'YAML'
study: tiny
data: {train: packed/train, valid: packed/valid, seq_len: 16}
model: {family: deepseek-llm, vocab: 256, head_dim: 8, aspect: 16}
train: {seeds: [1], eval_tokens: 512}
stages:
  - hyper:
      flops: [2e7, 4e7]
      lr: {from: 4e-3, to: 8e-3, ratio: 2}
      batch: {from: 64, to: 128, ratio: 2}
YAML
}
# ... and tiny.db, in which it has run.
make_database() {
    make_study
    # exit 1: so small a study identifies no law
    "$LOGLOG" run tiny.yaml --db tiny.db >log 2>&1
    [ "$("$LOGLOG" query tiny.db --csv \
        "SELECT count(*) FROM runs WHERE state = 'done'" | tail -n 1)" = 8 ] ||
        not_ok "the study has run: $(tail -n 3 log)"
}
