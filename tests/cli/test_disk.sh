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

# a study: what it says, and that the same command goes on when there is room
rm -rf text packed
make_study
if small_disk little 200k; then
    exits 4 "$LOGLOG" run tiny.yaml --db little/tiny.db
    grep -q 'little/tiny.db: the disk is full' err || not_ok "says: $(cat err)"
    mount -o remount,size=20m little
    run "$LOGLOG" run tiny.yaml --db little/tiny.db
    [ "$rc" -le 1 ] || not_ok "goes on with room: exit $rc"
    exits 0 "$LOGLOG" query little/tiny.db --csv \
        "SELECT count(*) FROM runs WHERE state = 'done'"
    says '^8$'
fi
mkdir shut
if read_only shut; then
    refuses 3 'shut/.*: (Read-only file system|Permission denied)' \
        "$LOGLOG" run tiny.yaml --db shut/tiny.db
fi
conclude
