#!/bin/sh
# `loglog run` and `loglog train` on emulated devices: a study gives the CPU's
# results within the rounding of bf16, alone, in gangs, killed and resumed; and
# what cannot be is one line and an exit status.
# shellcheck source=tests/mpi/lib.sh
. "$(dirname "$0")/../mpi/lib.sh"
setup
: "${LOGLOG_PLUGINS:?the folder of the emulated plugin}"

# two runs of a few dozen steps
device_study() { # GANG
    cat >study.yaml <<END
study: tiny
data: {train: data/train, valid: data/valid, seq_len: 16}
model: {family: deepseek-llm, vocab: 256, head_dim: 32, aspect: 32}
train: {seeds: [1], dtype: bf16, eval_tokens: 64, gang: $1}
stages:
  - isoflop: {flops: [1.6e8, 2.6e8], M: [24576], hyper: {lr: 4e-3, batch: 64}, extend: 0}
END
}

# near DB: curves as on the CPU
near() {
    "$LOGLOG" query "$1" "SELECT run, step, loss, grad_norm FROM curves ORDER \
BY run, step" --csv | tail -n +2 >"$1.curve"
    paste -d , cpu.curve "$1.curve" | awk -F , '
        $1 != $5 || $2 != $6 { print "other steps: " $0; bad = 1; exit }
        { d = $3 - $7; if (d < 0) d = -d; if (d > worst) worst = d }
        END { if (bad || NR < 50 || worst > 0.02) exit 1
              printf "%d steps, largest difference of the loss %.4f\n", NR,
                     worst }' || fail "$1: not the curves of the CPU"
    [ "$(ask "$1" "SELECT group_concat(DISTINCT device) FROM attempts")" \
        = cuemu ] || fail "$1: not trained on the device"
}

device_study 1
ranks 0 --db cpu.db --device cpu >cpu.out 2>cpu.err
"$LOGLOG" query cpu.db "SELECT run, step, loss, grad_norm FROM curves ORDER BY \
run, step" --csv | tail -n +2 >cpu.curve
[ -s cpu.curve ] || fail "no curve of the CPU"

# two slots, a device each
export LOGLOG_CUEMU="devices=4"
ranks 0 --db alone.db --device cuemu --slots 2 >alone.out 2>alone.err
grep -q "training on emulated" alone.err || fail "it does not say on what"
near alone.db

# the device and how from the study file, a gang of two, killed in the middle
device_study 2
sed -i 's/dtype: bf16/&, device: cuemu, attention: materialised, recompute: on, graphs: off/' \
    study.yaml
LOGLOG_FAULT=child-kill:step=9:rank=1:attempt=1 ranks 0 --db gang.db \
    --slots 2 >gang.out 2>gang.err
near gang.db
[ "$(ask gang.db "SELECT count(*) FROM attempts WHERE state != 'done'")" -ge 1 ] ||
    fail "nothing was killed"

if [ "${LOGLOG_WITH_MPI:-}" = ON ]; then
    device_study 4
    ranks 4 --db mpi.db --device cuemu >mpi.out 2>mpi.err
    near mpi.db
    # two ranks, one device
    device_study 1
    LOGLOG_CUEMU="devices=1" ranks 2 --db same.db --device cuemu \
        >same.out 2>same.err
    [ $? = 2 ] || fail "two ranks on one device must be refused"
    grep -q "processes 0 and 1 .*same GPU.*srun --gpus-per-task=1" same.err ||
        fail "it does not name the flag of srun"
fi

# no device: loudly for cuda, in one line for auto, before a run is tried
device_study 1
ranks 0 --db none.db --device cuda >none.out 2>none.err
[ $? = 3 ] || fail "cuda without a device must end with 3"
[ "$(grep -c "no libloglog_cuda.so" none.err)" = 1 ] || fail "no reason given"
[ "$(ask none.db "SELECT count(*) FROM attempts")" = 0 ] ||
    fail "runs were tried without a device"
ranks 0 --db auto.db --device auto >auto.out 2>auto.err
[ "$(grep -c "training on the CPU: " auto.err)" = 1 ] ||
    fail "auto must say it in one line"
[ "$(ask auto.db "SELECT group_concat(DISTINCT device) FROM attempts")" = cpu ] ||
    fail "auto: not on the CPU"
ranks 0 --db x.db --device gpu >x.out 2>x.err
[ $? = 2 ] || fail "an unknown device must end with 2"
sed -i 's/dtype: bf16/&, recompute: maybe/' study.yaml
ranks 0 --db x.db >x.out 2>x.err
[ $? = 2 ] || fail "an unknown choice must end with 2"
grep -q "study.yaml:4: .*recompute: 'maybe': auto, off or on expected" x.err ||
    fail "recompute: maybe: $(cat x.err)"

# train
"$LOGLOG" train --train data/train --valid data/valid --device cuemu \
    --set model.vocab=256 --set model.seq_len=16 --width 32 --set dtype=bf16 \
    --set batch_tokens=64 --set steps=8 --set schedule.warmup_steps=2 \
    --set optim.lr=4e-3 --set eval_tokens=64 --micro-batch 2 --recompute on \
    --attention materialised \
    >train.out 2>train.err || fail "train"
grep -q "^done after 8 steps" train.out || fail "train did not end well"
LOGLOG_CUEMU="cudnn=0" "$LOGLOG" train --train data/train --device cuemu \
    --set model.vocab=256 --set model.seq_len=16 --width 32 --set dtype=bf16 \
    --set batch_tokens=64 --set steps=2 --set schedule.warmup_steps=1 \
    --set optim.lr=4e-3 --attention cudnn >train.out 2>train.err ||
    fail "train --attention cudnn"
[ "$(grep -c "no attention by cuDNN, flash attention instead: " train.err)" = 1 ] ||
    fail "it must say in one line that there is no cuDNN"
gone || fail "processes are left"
