#!/usr/bin/env bash
# A full disk and a directory that cannot be written: exit 3, one line, nothing
# half made.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir text
for i in $(seq 1 200); do
    seq "$i" $((i + 300)) >"text/doc$i"
done

# every write fails, and the first of each kind
for fault in write:every write:n=1 write:n=2 write:n=3 write:n=5; do
    LOGLOG_FAULT=$fault refuses 3 'No space left on device' \
        "$LOGLOG" data pack --out packed text
    [ -e packed ] || [ -e packed.packing ] && not_ok "$fault leaves something"
done
# an old set stays whole when its replacement does not fit
exits 0 "$LOGLOG" data pack --out packed text
echo more >text/more
LOGLOG_FAULT=write:n=3 refuses 3 'No space left on device' \
    "$LOGLOG" data pack --out packed --force text
exits 0 "$LOGLOG" data info --check packed

if small_disk tiny 64k; then
    refuses 3 'tiny/.*No space left on device' \
        "$LOGLOG" data pack --out tiny/packed text
    [ -z "$(ls -A tiny)" ] || not_ok "the full disk holds something"
else
    printf 'not tried: a real full disk (needs mount)\n'
fi
mkdir locked
if read_only locked; then
    refuses 3 'locked/.*: (Read-only file system|Permission denied)' \
        "$LOGLOG" data pack --out locked/packed text
else
    printf 'not tried: a read-only directory (needs mount)\n'
fi

# a study: it pauses, goes on by itself when there is room, and loses nothing
rm -rf text packed
make_study
says_log() { # TEXT: the running study does, within twenty seconds
    for _ in $(seq 200); do
        grep -q "$1" log && return
        sleep 0.1
    done
    return 1
}
if small_disk little 8m; then
    sed 's/2e7, 4e7/2e8, 4e8/' tiny.yaml >long.yaml
    "$LOGLOG" run long.yaml --db little/tiny.db >log 2>&1 &
    study=$!
    says_log 'slot' || not_ok "the study runs: $(cat log)"
    head -c 9m /dev/zero >little/filler 2>/dev/null
    says_log 'the disk is full; the study pauses until there is room' ||
        not_ok "no pause: $(cat log)"
    kill -0 "$study" || not_ok "the study waits: $(cat log)"
    rm little/filler
    says_log 'there is room again' || not_ok "does not go on: $(cat log)"
    wait "$study"
    rc=$?
    [ "$rc" -le 1 ] || not_ok "exit $rc: $(cat log)"
    exits 0 "$LOGLOG" query little/tiny.db --csv \
        "SELECT count(*), sum(attempts), sum(failures),
         (SELECT count(*) FROM curves) = sum(steps) FROM runs WHERE state = 'done'"
    says '^8,[0-9]+,0,1$' # no failures, every step once
    exits 0 "$LOGLOG" db check little/tiny.db --deep
    # told to stop while it waits, it does
    rm little/tiny.db*
    "$LOGLOG" run long.yaml --db little/tiny.db >log 2>&1 &
    study=$!
    says_log 'slot' || not_ok "the study runs: $(cat log)"
    head -c 9m /dev/zero >little/filler 2>/dev/null
    says_log 'the study pauses' || not_ok "no pause: $(cat log)"
    kill -TERM "$study"
    wait "$study"
    rc=$?
    [ "$rc" -eq 4 ] || not_ok "SIGTERM while it waits: exit $rc"
    rm little/filler
    run "$LOGLOG" run long.yaml --db little/tiny.db
    [ "$rc" -le 1 ] || not_ok "goes on with room: exit $rc"
fi
mkdir shut
if read_only shut; then
    refuses 3 'shut/.*: (Read-only file system|Permission denied)' \
        "$LOGLOG" run tiny.yaml --db shut/tiny.db
fi
conclude
