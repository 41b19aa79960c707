#!/usr/bin/env bash
# What a plan costs: by a device and its share of the peak, by a given speed, in
# energy and money; what trunks spare; and which prices are refused.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cat >study.yaml <<'END'
study: priced
data: {train: t, valid: v, seq_len: 64}
model: {vocab: 256, head_dim: 8, aspect: 8}
train: {schedule: {warmup: 0.03, warmup_shared: true}}
stages:
  - hyper: {flops: [1e11, 2e11, 4e11], width: 32, lr: [1e-3, 2e-3], batch: 1024}
END

# plan OPTIONS...: the JSON object; claim WHAT EXPRESSION: of jq
plan() { "$LOGLOG" plan study.yaml --json "$@" >plan.json; }
claim() {
    if python3 - "$2" <<'END'; then ok; else not_ok "$1"; fi
import json, sys
p = json.load(open("plan.json"))
t = p["totals"]
close = lambda a, b: abs(a / b - 1) < 1e-9
sys.exit(not eval(sys.argv[1]))
END
}

plan --device h100 --mfu 0.5 --price 2.5
claim "hours of a device" \
    'close(t["price"]["hours"], t["seconds"] / 3600)'
claim "seconds by the share of the peak, without what trunks take" \
    'close(t["seconds"], sum(r["flops_exact"] * (1 - r["trunk_step"] / r["steps"]) for r in p["runs"]) / (0.5 * 989.4e12))'
claim "energy and money" \
    'close(t["price"]["kwh"], 0.7 * t["price"]["hours"]) and close(t["price"]["money"], 2.5 * t["price"]["hours"])'
claim "1.15 of the largest and not 1.75" \
    'abs((t["flops"] - t["trunk_saved_flops"]) / (2 * max(r["flops"] for r in p["runs"])) - 1.15) < 0.002'
claim "trunks are runs of the plan" \
    '{r["trunk"] for r in p["runs"]} - {None} <= {r["id"] for r in p["runs"]}'
claim "files of 4 branches" 't["disk"]["trunks"] > 4 * 12e3'

plan --speed 1e12 --watts 100
claim "a speed of one's own" \
    't["price"]["money"] is None and close(t["price"]["kwh"], 0.1 * t["price"]["hours"])'

plan --measure
claim "a speed that was measured: of one width, above 1 and below 1e4 GFLOP/s" \
    '1e9 < sum(r["flops_exact"] * (1 - r["trunk_step"] / r["steps"]) for r in p["runs"]) / t["seconds"] < 1e13'

sed -i 's/batch: 1024/batch: 1024, trunk: false/' study.yaml
plan
claim "no trunks" 't["trunk_saved_flops"] == 0 and t["disk"]["trunks"] == 0'

plan --device h100
claim "predicted from kernels: the time of what it trains, with the MFU of each" \
    'all(close(r["seconds"], r["step_seconds"] * (r["steps"] - r["trunk_step"])) and 0 < r["mfu"] < 1 and r["micro_batch"] > 0 and not r["communication_seconds"] for r in p["runs"])'
alone=$(python3 -c 'import json; print(json.load(open("plan.json"))["runs"][0]["step_seconds"])')
sed -i 's/^train: {/train: {gang: 4, /' study.yaml
plan --device h100
claim "of a gang: time of four devices, and communication" \
    "all(close(r['seconds'], 4 * r['step_seconds'] * (r['steps'] - r['trunk_step'])) and r['communication_seconds'] > 0 for r in p['runs']) and p['runs'][0]['step_seconds'] < 2 * $alone"
"$LOGLOG" plan study.yaml --device h100 >plan.out
claim "labelled" '"times what an H100 reached of them: MFU" in open("plan.out").read().replace("\n           ", " ")'

refuses 2 "did you mean 'h100'" "$LOGLOG" plan study.yaml --device h10
refuses 2 '--mfu' "$LOGLOG" plan study.yaml --device h100 --mfu 1.5
refuses 2 '--mfu' "$LOGLOG" plan study.yaml --mfu 0.4
refuses 2 '--mfu' "$LOGLOG" plan study.yaml --device h100 --mfu 0.4 --speed 1e9
refuses 2 '--measure' "$LOGLOG" plan study.yaml --measure --speed 1e9
refuses 2 '--price' "$LOGLOG" plan study.yaml --price -1
conclude
