#!/bin/sh
# A whole study, from the grid to the verified prediction, with the stand-in
# trainer: alone and on four ranks of many slots, undisturbed and killed in the
# middle of every stage, with the same laws and predictions.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/../mpi/lib.sh"
setup

cat >study.yaml <<'END'
study: whole
data: {train: data/train, valid: data/valid, seq_len: 128}
model: {family: deepseek-llm, vocab: 256, head_dim: 16, aspect: 32}
train: {seeds: [1]}
stages:
  - hyper: {flops: [1e14, 3e14, 1e15], lr: {from: 5e-4, to: 1.6e-2, ratio: 2}, batch: {from: 2048, to: 65536, ratio: 2}}
  - isoflop: {flops: {from: 1e14, to: 1e16, per_decade: 2}, sizes: 7, span: 16, hyper: fitted, extend: 1}
  - predict: {flops: [1e17]}
  - verify: {flops: [1e17], seeds: [11, 12]}
END

laws() {
    table "$1" | grep -v '^[0-9]*,[0-9]*,[0-9]*,[0-9.]*,[0-9.e-]*,[0-9]*$'
    "$LOGLOG" query "$1" "SELECT flops, d_model, n_layer, lr, batch_tokens, \
bpb, bpb_lo, bpb_hi, sha256, runs, measured, inside FROM predictions" --csv
    "$LOGLOG" query "$1" "SELECT stage, state, reason FROM stages" --csv
}

ranks 0 --db calm.db --slots 64 --stand-in 3e6 >calm.out 2>calm.err ||
    fail "undisturbed: $?"
laws calm.db >calm.laws
[ "$(ask calm.db "SELECT count(*) FROM stages WHERE state = 'complete'")" = 4 ] ||
    fail "not all stages are complete"
for what in "M_opt = " "lr = " "bpb = " "bits per byte, 90 % interval" \
    "measured .* inside the interval"; do
    grep -q "$what" calm.out || fail "the summary does not say '$what'"
done
[ "$(ask calm.db "SELECT count(DISTINCT device) || min(device) FROM \
attempts")" = "1stand-in" ] || fail "stand-in attempts are not marked"
[ "$(ask calm.db "SELECT count(*) FROM predictions p WHERE made > (SELECT \
min(started) FROM attempts a JOIN runs r USING (run) WHERE r.stage = \
'verify')")" = 0 ] || fail "verification began before the prediction was made"
# what its stages stored can be made again
for fit in $(ask calm.db "SELECT fit FROM fits"); do
    "$LOGLOG" fit calm.db --again "$fit" >again.out 2>&1
    tail -n 1 again.out | grep -q "^again: fit $fit of [0-9.]* .* is the same" ||
        fail "fit $fit again: $(tail -n 3 again.out)"
done
[ "$(ask calm.db "SELECT count(*) FROM fits WHERE json_extract(json, \
'$.input') = input AND json_extract(json, '$.version') <> ''")" -ge 3 ] ||
    fail "stored fits do not say of what and by whom"

# killed whenever another 40 runs are done, resumed on other ranks
for n in 2 0 4 1 3; do
    slots=$((n > 0 ? 64 / n : 64))
    if [ "$n" = 0 ]; then
        timeout -k 5 100 "$LOGLOG" run study.yaml --db storm.db \
            --slots 64 --stand-in 1e6 >storm.out 2>storm.err &
    else
        timeout -k 5 100 mpirun --oversubscribe --bind-to none -n "$n" \
            "$LOGLOG" run study.yaml --db storm.db --slots $slots \
            --stand-in 1e6 >storm.out 2>storm.err &
    fi
    job=$!
    before=$(ask storm.db "SELECT count(*) FROM points" 2>/dev/null || echo 0)
    for _ in $(seq 300); do
        now=$(ask storm.db "SELECT count(*) FROM points" 2>/dev/null || echo 0)
        [ "${now:-0}" -ge $((${before:-0} + 30)) ] && break
        kill -0 $job 2>/dev/null || break
        sleep 0.05
    done
    pids run | head -n 1 | while read -r pid; do kill -9 "$pid"; done
    wait $job
    gone || fail "killed on $n: processes are left"
done
ranks 2 --db storm.db --slots 32 --stand-in 3e6 >storm.out 2>storm.err ||
    fail "resumed: $?"
laws storm.db >storm.laws
cmp -s calm.laws storm.laws || {
    diff calm.laws storm.laws | head -n 10 >&2
    fail "the laws differ from those of an undisturbed study"
}
[ "$(ask storm.db "SELECT count(*) FROM events WHERE kind = 'start'")" -ge 4 ] ||
    fail "it was not killed often enough to mean something"
# killed where a stage completes, in the middle of the transaction
for stage in hyper isoflop predict verify; do
    LOGLOG_FAULT=coordinator-kill ranks 0 --db middle.db --slots 64 \
        --stand-in 3e6 >middle.out 2>middle.err
    rc=$?
    [ $rc = 137 ] || fail "killed as $stage completes: exit $rc"
    [ "$(ask middle.db "SELECT state FROM stages WHERE stage = '$stage'")" \
        != complete ] || fail "$stage: not killed in time"
    # the next launch gets past this stage, and is killed at the next
    LOGLOG_FAULT=coordinator-kill:n=2 ranks 0 --db middle.db --slots 64 \
        --stand-in 3e6 >middle.out 2>middle.err
    gone || fail "killed as $stage completes: processes are left"
    [ "$(ask middle.db "SELECT state FROM stages WHERE stage = '$stage'")" \
        = complete ] || fail "$stage: not completed by the next launch"
done
laws middle.db >middle.laws
cmp -s calm.laws middle.laws || {
    diff calm.laws middle.laws | head -n 10 >&2
    fail "killed in transactions: the laws differ"
}
echo "a whole study, killed again and again: the same laws and predictions"
