#!/usr/bin/env bash
# What a study says of its data: validation sets by name and by position, the
# same text for every run, epochs in the plan and in fits, and what was waited.
# shellcheck disable=SC2154
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

make_study
seq 9000 9400 >numbers
exits 0 "$LOGLOG" data pack --out numbers.p --split none numbers
cat >epochs.yaml <<'YAML'
study: epochs
data:
  train: packed/train
  valid: {main: packed/valid, numbers: numbers.p/train}
  seq_len: 16
model: {family: deepseek-llm, vocab: 256, head_dim: 8, aspect: 16}
train: {seeds: [1]}
stages:
  - hyper:
      flops: [6e7, 2.4e8]
      lr: {from: 4e-3, to: 8e-3, ratio: 2}
      batch: {from: 64, to: 128, ratio: 2}
YAML
exits 0 "$LOGLOG" plan epochs.yaml
says '^epochs +4 runs: more than one pass over the training data'
"$LOGLOG" run epochs.yaml --db epochs.db >log 2>&1
# column SQL: its one column, in one line
column() { "$LOGLOG" query epochs.db --csv "$1" | tail -n +2 | tr '\n' ' '; }
equal() { # WHAT IS SHOULD
    if [ "$2" = "$3" ]; then ok; else not_ok "$1: $2, expected $3"; fi
}
equal 'the runs' "$(column "SELECT count(*) FROM runs WHERE state = 'done'")" '8 '
# two sets by name, each the same tokens for all runs: all of them
for pair in main:packed/valid numbers:numbers.p/train; do
    "$LOGLOG" data info --json "${pair#*:}" >described
    tokens=$(sed 's/.*"tokens":\([0-9]*\).*/\1/' described)
    equal "tokens of ${pair%%:*}" "$(column "SELECT DISTINCT eval_tokens
        FROM evaluations WHERE valid_set = '${pair%%:*}'")" \
        "$(((tokens - 1) / 16 * 16)) "
done
exits 0 "$LOGLOG" query epochs.db @sets
says '2\.4e\+08 .* numbers '
exits 0 "$LOGLOG" query epochs.db @positions
says ' main +9 +16 '
exits 0 "$LOGLOG" query epochs.db @waiting
says 'waiting_percent'
# epochs, in the points and in every fit
equal 'flagged' "$(column "SELECT count(*) FROM points
    WHERE epochs > 1 AND flags LIKE '%epochs%'")" '4 '
equal 'not flagged' "$(column "SELECT count(*) FROM points
    WHERE epochs <= 1 AND flags NOT LIKE '%epochs%'")" '4 '
"$LOGLOG" fit epochs.db --law hyper >out
says '^epochs: 4 points saw their text more than once'
"$LOGLOG" fit epochs.db --law hyper --json >out
says '"repeated": ?4'
"$LOGLOG" fit epochs.db --law hyper --where 'epochs <= 1' >out
if grep -q '^epochs' out; then not_ok 'epochs of points left out'; else ok; fi
"$LOGLOG" fit epochs.db --law surface --form repeated >out
says '^law surface repeated'

# a disk that is slow in answering changes no digit
train=(train --train packed/train --valid packed/valid --width 16 --flops 5e7
    --set optim.lr=1e-2 --set model.seq_len=16 --set model.vocab=256 --set batch_tokens=64)
exits 0 "$LOGLOG" "${train[@]}"
says 'wait'
grep -o 'loss [0-9.]*' out >fast
LOGLOG_FAULT=slow-read:every "$LOGLOG" "${train[@]}" >out 2>log
grep -o 'loss [0-9.]*' out >slow
[ -s fast ] || not_ok 'no loss'
cmp -s fast slow || not_ok 'a slow disk changes the loss'
conclude
