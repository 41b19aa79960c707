#!/bin/sh
# `loglog doctor --gpu` on the emulator: right with two devices, not right where
# something fails, and one line where there is no device.
set -u
: "${LOGLOG:?the program to test}" "${LOGLOG_PLUGINS:?the folder of the plugin}"
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    cat "$out" >&2
    exit 1
}

LOGLOG_CUEMU="devices=2" "$LOGLOG" doctor --gpu --device cuemu >"$out" 2>&1 ||
    fail "exit $?"
for what in "ok   head_dim_64" "ok   norms" "^ok  *kernels" \
    "^ok  *training: 20 steps on 1 device," "^ok  *NCCL: 20 steps on 2 devices" \
    "^ok  *cuDNN's attention against flash\|^skipped  *cuDNN's attention: .*LOGLOG_CUDNN" \
    "^ok  *throughput" "^verdict: the GPU code is right on 2 x emulated"; do
    grep -q "$what" "$out" || fail "no '$what'"
done

LOGLOG_CUEMU="memory=1000000 cudnn=0" "$LOGLOG" doctor --gpu --device cuemu >"$out" 2>&1
[ $? = 1 ] || fail "what does not fit must be exit 1"
grep -q "^FAILED  *training: one sequence needs" "$out" || fail "no reason"
grep -q "^skipped  *cuDNN's attention: " "$out" || fail "cuDNN is not there"
grep -q "^verdict: the GPU code is NOT right" "$out" || fail "no verdict"

LOGLOG_CUEMU="driver=12020" "$LOGLOG" doctor --gpu --device cuemu >"$out" 2>&1
[ $? = 3 ] || fail "no driver must be exit 3"
grep -q "the driver knows CUDA 12.2 and" "$out" || fail "no reason"
[ "$(wc -l <"$out")" = 1 ] || fail "more than a line"
