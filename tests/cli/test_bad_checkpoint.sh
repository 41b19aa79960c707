#!/usr/bin/env bash
# A damaged, truncated or foreign checkpoint is noticed: the run goes on from
# the one before it, or from the beginning, and ends with the same bits.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

make_study
spec=(--train packed/train --valid packed/valid --set model.seq_len=16
    --set model.vocab=256 --width 16 --set optim.lr=0.01
    --set batch_tokens=64 --set eval_tokens=512 --checkpoint-seconds 0.02)

# Start a run in the background and stop it when it has two checkpoints.
start_and_stop() { # STEPS
    local pid
    "$LOGLOG" train "${spec[@]}" --set steps="$1" --checkpoints ck \
        >part.out 2>part.err &
    pid=$!
    for _ in $(seq 1 600); do
        [ "$(find ck -name '*.ckpt' 2>/dev/null | wc -l)" -ge 2 ] && break
        sleep 0.02
    done
    kill -TERM $pid
    wait $pid
    code=$?
    if [ $code -eq 75 ]; then
        ok
    else
        not_ok "stopped: exit $code, expected 75"
    fi
    if [ "$(find ck -name '*.ckpt' | wc -l)" -eq 2 ]; then
        ok
    else
        not_ok "two checkpoints are kept: $(ls ck)"
    fi
    newest=$(find ck -name '*.ckpt' | sort | tail -n 1)
}
poke() { # FILE
    printf 'XXXX' | dd of="$1" bs=1 seek=3000 conv=notrunc status=none
}

# so long that it is never done in the meantime; what follows only begins it
long=10000000
start_and_stop $long
cp -r ck saved
fresh() {
    rm -rf ck
    cp -r saved ck
}
# goes_on FROM TEXT: started with what is in ck it says so, and trains
goes_on() {
    timeout --preserve-status -s TERM 1 "$LOGLOG" train "${spec[@]}" \
        --set steps=$long --checkpoints ck >out 2>err
    rc=$?
    command_line="train ($1)"
    if [ $rc -eq 75 ] && grep -qE "$2" err; then
        ok
    else
        not_ok "exit $rc, expected 75 and '$2': $1"
        show
    fi
    if [ "$3" = older ] && ! grep -q 'going on from step' err; then
        not_ok "$1: does not go on from the older one"
        show
    fi
}
poke "$newest"
goes_on 'a changed byte' "$(basename "$newest"): .*checkpoint" older
fresh
truncate -s -100 "$newest"
goes_on 'a truncated one' "$(basename "$newest"): .*checkpoint" older
fresh
: >"$newest"
goes_on 'an empty one' "$(basename "$newest"): .*checkpoint" older
fresh
head -c 4000 /dev/urandom >"$newest"
goes_on 'a foreign one' "$(basename "$newest"): .*checkpoint" older
fresh
for f in ck/*.ckpt; do
    poke "$f"
done
goes_on 'both damaged' 'damaged checkpoint' none

# the bits: a whole run against one that lost its newest checkpoint
result() { # FILE: "loss X, Y bits per byte on valid"
    tail -n 1 "$1" | sed 's/.*: loss/loss/'
}
steps=20000
rm -rf ck
exits 0 "$LOGLOG" train "${spec[@]}" --set steps=$steps --checkpoints whole
cp out whole.out
start_and_stop $steps
poke "$newest"
exits 0 "$LOGLOG" train "${spec[@]}" --set steps=$steps --checkpoints ck
grep -q 'going on from step' err || not_ok "the last start went on"
[ "$(result out)" = "$(result whole.out)" ] ||
    not_ok "resumed: $(result out); whole: $(result whole.out)"
conclude
