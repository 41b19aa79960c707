#!/bin/sh
# loglog launch: goes on over the loss of a rank and of mpirun itself, stops in
# order on a signal, and gives up when nothing moves.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/lib.sh"
setup
slow=$(slowly 2)
unset OMPI_MCA_btl_vader_backing_directory # launch has to clean /dev/shm
segments() {
    find /dev/shm -name 'vader_segment*' | sort
}
segments >segments.before

launch() {
    timeout -k 5 100 "$LOGLOG" launch --pause 0.1 --oversubscribe \
        --bind-to none -n 2 -- run study.yaml "$@"
}

LOGLOG_FAULT=$slow launch --db lost.db >lost.out 2>lost.err &
job=$!
training lost.db 2
first=$(pids mpirun)
kill -9 "$(pids run | tail -n 1)"
for _ in $(seq 200); do
    second=$(pids mpirun)
    [ -n "$second" ] && [ "$second" != "$first" ] && break
    sleep 0.1
done
[ "$second" != "$first" ] || fail "mpirun was not started again"
for _ in $(seq 200); do
    [ "$(ask lost.db "SELECT count(*) FROM events WHERE kind = 'start'" \
        2>/dev/null)" = 2 ] && break
    sleep 0.1
done
kill -9 "$second"
wait $job || fail "launch: exit $?"
[ "$(ask lost.db "SELECT count(*) FROM events WHERE kind = 'start'")" = 3 ] ||
    fail "expected three starts"
same lost.db
gone || fail "processes are left"
for f in "$TMPDIR"/ompi.*/pid.*; do
    [ -e "$f" ] && fail "a dead mpirun's directory is left: $f"
done
segments | comm -13 segments.before - >segments.new
while read -r f; do # another job's, if somebody has it mapped
    cat /proc/[0-9]*/maps 2>/dev/null | grep -q "$f" ||
        fail "a dead mpirun's segment is left: $f"
done <segments.new

LOGLOG_FAULT=$slow launch --db stop.db >stop.out 2>stop.err &
job=$!
training stop.db 2
kill -TERM "$(ours | while read -r pid _; do
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q ' launch ' && echo "$pid"
done)"
wait $job
rc=$?
[ $rc = 75 ] || fail "launch stopped: exit $rc"
gone || fail "stopped: processes are left"
launch --db stop.db >stop2.out 2>stop2.err || fail "launch resumed: $?"
same stop.db

# the coordinator dies at every start: no progress, so it gives up
timeout -k 5 60 "$LOGLOG" launch --pause 0.1 --tries 2 --mpirun false -n 2 -- \
    run study.yaml --db never.db >never.out 2>never.err
rc=$?
[ $rc = 1 ] || fail "launch did not give up: exit $rc"
grep -q "without progress" never.err || fail "it does not say why"

# an mpirun that hangs in its exit when the study is finished
cat >hangs <<'END'
#!/bin/sh
while [ "$1" != "$LOGLOG" ]; do shift; done
"$@"
sleep 300
END
chmod +x hangs
LOGLOG=$(readlink -f "$LOGLOG")
timeout -k 5 60 "$LOGLOG" launch --exit-by 1 --mpirun ./hangs -- \
    run study.yaml --db hang.db >hang.out 2>hang.err ||
    fail "launch, with an mpirun that hangs: $?"
grep -q "hangs in its exit" hang.err || fail "the hang was not told"
same hang.db
for _ in $(seq 50); do
    pgrep -f '^sleep 300$' >left || break
    sleep 0.1
done
while read -r pid; do
    [ "$(readlink "/proc/$pid/cwd")" = "$dir" ] && fail "its process is left"
done <left

# one that takes a while to start its ranks does not hang
mkfifo never
printf '#!/bin/bash\nread -rt 4 _ <>%s/never\nexec mpirun "$@"\n' "$dir" >slow
chmod +x slow
timeout -k 5 60 "$LOGLOG" launch --exit-by 0.5 --mpirun ./slow --oversubscribe \
    -n 1 -- run study.yaml --db slow.db >slow.out 2>slow.err ||
    fail "launch, with an mpirun that starts slowly: $?"
[ "$(ask slow.db "SELECT count(*) FROM events WHERE kind = 'start'")" = 1 ] ||
    fail "an mpirun that starts slowly was killed"

# what it cannot change, it does not repeat
launch --db x.db --no-such-option >usage.out 2>usage.err
rc=$?
[ $rc = 2 ] || fail "bad usage: exit $rc"
[ "$(grep -c "unknown option" usage.err)" -ge 1 ] || fail "bad usage: no reason"
grep -q "going on in" usage.err && fail "bad usage was tried again"
echo "launch: lost rank, lost mpirun, stop, no progress, hang, bad usage"
