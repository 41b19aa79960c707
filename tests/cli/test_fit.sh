#!/usr/bin/env bash
# The fits as a stranger uses them: files of runs made here by known laws, the
# commands of --help, and what comes out checked as text and as JSON.
# shellcheck disable=SC2016,SC2154
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# Noise that is the same everywhere: a sum of uniforms of a small generator.
rng='function u() { s = (s * 16807) % 2147483647; return s / 2147483647 }
     function g(  i, t) { t = 0; for (i = 0; i < 12; i++) t += u(); return t - 6 }'

# Chinchilla's surface (Besiroglu et al.), 8 budgets x 10 sizes, 0.2 % noise;
# parameters in millions, tokens in billions.
awk "$rng"' BEGIN { s = 7; print "Params (M),Tokens (B),val loss"
    for (b = 0; b < 8; b++) for (k = 0; k < 10; k++) {
        C = 1e17 * 10^(b / 2); n = sqrt(C / 120) * 4^((k - 4.5) / 4.5)
        d = C / (6 * n); L = 1.8172 + 482.01 / n^0.3478 + 2085.43 / d^0.3658
        printf "%.10g,%.10g,%.8g\n", n / 1e6, d / 1e9, L * (1 + 0.002 * g()) } }' \
    </dev/null >runs.csv
map='n=`Params (M)`*1e6,d=`Tokens (B)`*1e9,loss=`val loss`'

# param NAME: of the JSON in out, to three digits.
param() {
    python3 -c 'import json, sys
print("%.3g" % json.load(open("out"))["params"][sys.argv[1]])' "$1"
}
# near NAME LOW HIGH
near() {
    if python3 -c 'import json, sys
v = json.load(open("out"))["params"][sys.argv[1]]
sys.exit(not float(sys.argv[2]) <= v <= float(sys.argv[3]))' "$@"; then
        ok
    else
        not_ok "$1 = $(param "$1"), expected $2 to $3: $command_line"
    fi
}
have_python=1
command -v python3 >/dev/null || have_python=0

# ---- surfaces, without a database
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law surface --plots figures
says '^law surface chinchilla, method varpro, 80 points'
says '^  alpha .* 90 % profile'
says '^  tpp_lo'
says '^  condition'
for f in loss residuals profile-E profile-alpha profile-beta; do
    if grep -q '</svg>' "figures/surface-$f.svg"; then ok; else not_ok "no figure $f"; fi
done
if [ "$(grep -o '<circle' figures/surface-profile-alpha.svg | wc -l)" -gt 20 ]; then ok
else not_ok 'the profile is no curve'; fi
for form in chinchilla tied power skaling farseer; do
    run "$LOGLOG" fit --points runs.csv --map "$map" --law surface --form $form
    says "^law surface $form"
done
for objective in huber mse mse-raw huber-raw asymmetric likelihood; do
    exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law surface \
        --objective $objective --json
    [ $have_python -eq 0 ] || near alpha 0.33 0.365
done
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law surface --method grid
says '^  starts +4500'
says '^  share_reached'
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law surface \
    --holdout flops:2 --rolling --select
says '^  holdout_mean_error'
says '^rolling'
says '^selection'
says '^  holdout_recorded +no'

# ---- the other laws of a file
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law isoflop --json
[ $have_python -eq 0 ] || near M_exponent 0.47 0.56
for method in akima surface; do
    run "$LOGLOG" fit --points runs.csv --map "$map" --law isoflop --method $method
    says "^law isoflop, method $method"
done
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law loss --rolling
says '^  E '
says '^  pure_k'
says '^  rolling_inside'
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law power --x n --y loss

# ---- bootstrap: what is drawn, and draws from a file
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law surface \
    --bootstrap 100 --resample budgets --interval basic --delta 1e-4
says 'bootstrap_groups +8'
says '90 % basic'
says 'bootstrap_smoothed +yes'
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law surface \
    --bootstrap 100 --resample budgets --interval basic --delta 1e-4 --smooth off
says 'bootstrap_smoothed +no'
says 'interval_note +basic falls short'
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law surface \
    --bootstrap 20 --refit ends
says 'bootstrap_good +20'
awk "$rng"' BEGIN { s = 11; for (r = 0; r < 60; r++) {
    for (k = 0; k < 80; k++) printf "%d ", int(80 * u()); print "" } }' </dev/null >draws
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law surface --indices draws
says 'bootstrap_good +60'
cp out first
exits 0 "$LOGLOG" fit --points runs.csv --map "$map" --law surface --indices draws
if cmp -s out first; then ok; else not_ok "the same draws, another answer"; fi
echo '80 1 2' >draws
refuses 2 'draws:1' "$LOGLOG" fit --points runs.csv --map "$map" --law surface --indices draws

# ---- a database: import, store, again, holdout
exits 0 "$LOGLOG" import a.db --csv runs.csv --map "$map"
says '80 rows \(80 usable\)'
exits 0 "$LOGLOG" fit a.db --law surface --bootstrap 100 --store
exits 0 "$LOGLOG" fit a.db --law isoflop --store
exits 0 "$LOGLOG" fit a.db --law power --x n --y loss --store
for id in 1 2 3; do
    exits 0 "$LOGLOG" fit a.db --again $id
    says "^again: fit $id .* is the same to the last digit"
done
refuses 2 'no such fit' "$LOGLOG" fit a.db --again 99
exits 0 "$LOGLOG" fit a.db --law surface --holdout flops:2
if grep -q exploratory out; then not_ok 'exploratory too early'; else ok; fi
exits 0 "$LOGLOG" fit a.db --law surface
says 'exploratory: a holdout of this study was opened before'
exits 0 "$LOGLOG" predict a.db --flops 1e21
says 'decades'
says '^  off +half the best size'
says '^  over +1/2 '
says 'the surfaces differ by'
exits 0 "$LOGLOG" predict --points runs.csv --map "$map" --flops 1e21 --json
exits 0 "$LOGLOG" predict a.db --table
says '^flops .* surfaces +loss'
if [ "$(grep -c '^1e+' out)" -eq 10 ]; then ok; else not_ok 'not 10 rows, 1e17 to 1e26'; fi
exits 0 "$LOGLOG" design a.db --flops 1e20 --target 1e22
says 'with these runs'
says 'with the fixed 8 x 10 grid'
exits 0 "$LOGLOG" design --surface 1.8172,482,2085.4,0.3478,0.3658 --flops 1e20 --target 1e22 --json

# ---- curves: the law of the rate, and the collapse
awk "$rng"' BEGIN { s = 5; print "run,step,lr,loss"
    for (T = 500; T <= 2000; T *= 2) { s1 = 0; s2 = 0; m = 0; last = 0
        for (t = 1; t <= T; t++) {
            lr = t <= 40 ? 0.004 * t / 40 : t <= 0.8 * T ? 0.004 : t <= 0.9 * T ? 0.00126 : 0.0004
            m = m * 0.99 + (t > 40 ? last - lr : 0); s1 += lr; s2 += m; last = lr
            L = 2.1 + 3 * s1^-0.45 - 0.9 * s2
            printf "T%d,%d,%.8g,%.8g\n", T, t, lr, L * (1 + 0.002 * g()) } } }' </dev/null >curves.csv
exits 0 "$LOGLOG" fit --points curves.csv --law curve --lambda 0.99 --bootstrap 20 --plots figures
says '^  trunk +T2000'
says '^  branches +2'
says 'T500 .*branch'
grep -q '</svg>' figures/curve-1.svg || not_ok 'no figure of the curve'
awk "$rng"' BEGIN { s = 3; print "run,size,step,flops,seed,loss"
    for (k = 0; k < 4; k++) for (r = 0; r < 3; r++) { luck = 1 + 0.01 * g()
        for (t = 1; t <= 200; t++) { C = 10^(12 + k)
            L = 1.7 + 40 * C^-0.1 * luck * (t / 200)^-0.3 * (1 + 0.001 * g())
            printf "%d/%d,%d,%d,%.8g,%d,%.8g\n", k, r, k, t, C * t / 200, r, L } } }' </dev/null >sizes.csv
exits 0 "$LOGLOG" fit --points sizes.csv --law collapse --L0 1.7 --plots figures \
    --map 'group=run,stage=size,steps=step,flops=flops,seed=seed,loss=loss'
says 'supercollapse +yes'
says '^  scatter .* 90 % percentile'
says '^  cells +4'

# ---- what --json prints is what docs/fit-json.md says, key by key
documented() { # every key of the JSON in out is a word there
    python3 -c '
import json, re, sys
doc = open(sys.argv[1]).read()
words = set(re.findall(r"[A-Za-z_0-9]+", doc))
top = re.findall(r"^\| (\w+) \|", doc.split("## Diagnostics")[0], re.M)
o = json.load(open("out"))
bad = [k for k in o if k not in top] + [k for k in top if k not in o and k != "key"]
bad += [k for k in o["diagnostics"] if k not in words]
for v in o["diagnostics"].values():
    row = v[0] if isinstance(v, list) and v else v
    bad += [k for k in row if " " not in k and k.isidentifier() and k not in words] \
        if isinstance(row, dict) else []
print(bad)
sys.exit(bool(bad))' "$LOGLOG_SOURCE/docs/fit-json.md" >keys
}
if [ $have_python -eq 1 ]; then
    for law in "surface --rolling --select --holdout flops:2 --bootstrap 50" isoflop "loss --rolling" \
        "power --x n --y loss"; do
        # shellcheck disable=SC2086
        run "$LOGLOG" fit --points runs.csv --map "$map" --json --law $law
        if documented; then ok; else not_ok "not in docs/fit-json.md: $(cat keys): $law"; fi
    done
    run "$LOGLOG" fit --points curves.csv --law curve --lambda 0.99 --bootstrap 0 --json
    if documented; then ok; else not_ok "not in docs/fit-json.md: $(cat keys): curve"; fi
    run "$LOGLOG" fit --points sizes.csv --law collapse --L0 1.7 --json \
        --map 'group=run,stage=size,steps=step,flops=flops,seed=seed,loss=loss'
    if documented; then ok; else not_ok "not in docs/fit-json.md: $(cat keys): collapse"; fi
fi

# ---- hyper-parameters: Step Law's columns, batch in sequences of 2048
awk "$rng"' BEGIN { s = 9; print "N,D,lr,bs,smooth loss"
    for (i = 0; i < 4; i++) for (j = 0; j < 3; j++) { N = 2e8 * 2^i; D = 4e9 * 3^j
        lo = 1.79 * N^-0.713 * D^0.307; bo = 0.58 * D^0.571
        for (a = -4; a <= 4; a++) for (b = -3; b <= 3; b++) {
            lr = exp(log(2) / 2 * (int(log(lo) / (log(2) / 2)) + a))
            bs = 2^(int(log(bo / 2048) / log(2)) + b)
            x = log(lr / lo); y = log(bs * 2048 / bo)
            printf "%.8g,%.8g,%.8g,%.8g,%.8g\n", N, D, lr, bs, (1.8 + 480 / N^0.348 + 2085 / D^0.366) * (1 + 0.006 * x * x + 0.004 * y * y) } } }' </dev/null >grid.csv
run "$LOGLOG" fit --points grid.csv --law hyper --json --bootstrap 200 \
    --map 'n=N,d=D,lr=lr,batch=bs*2048,loss=`smooth loss`'
if [ $have_python -eq 1 ]; then
    if documented; then ok; else not_ok "not in docs/fit-json.md: $(cat keys): hyper"; fi
    if python3 -c '
import json, sys
d = json.load(open("out"))["diagnostics"]
nd, b = d["lr_of_N_D"], d["batch_of_D"]
held = d["held_out_excess"]
sys.exit(not (abs(nd["N"] + 0.713) < 0.06 and abs(nd["D"] - 0.307) < 0.06
              and abs(b["D"] - 0.571) < 0.06
              and held["(N, D)"]["mean"] < 0.2 * held["C"]["mean"]))'; then
        ok
    else
        not_ok 'Step Law was not found in a grid that it made'
    fi
fi

# ---- one line for what cannot be
refuses 2 "runs.csv:2: no 'n'" "$LOGLOG" fit --points runs.csv --law surface
printf 'n,d,loss\n1e8,1e9,3.2\n1e8,1e9,abc\n' >bad.csv
refuses 2 "bad.csv:3: column 'loss': 'abc' is not a number" "$LOGLOG" fit --points bad.csv --law surface
refuses 2 'bad.csv:3' "$LOGLOG" import b.db --csv bad.csv
[ -e b.db ] && not_ok 'a refused import left a database'
refuses 2 "no column 'lss', did you mean 'loss'" "$LOGLOG" fit --points bad.csv --law surface --map 'loss=lss'
refuses 2 'did you mean surface' "$LOGLOG" fit --points runs.csv --law surfac
refuses 2 '--objective is not for --law isoflop' "$LOGLOG" fit --points runs.csv --law isoflop --objective mse
refuses 2 'expected runs, trunks' "$LOGLOG" fit --points runs.csv --map "$map" --law surface --bootstrap 9 --resample x
refuses 3 'gone.csv: No such file' "$LOGLOG" fit --points gone.csv --law surface
awk 'BEGIN { print "n,d,loss"; for (k = 0; k < 20; k++) { n = 1e7 * 2^(k / 2)
    printf "%.8g,%.8g,%.8g\n", n, 20 * n, 1.8 + 480 / n^0.35 + 2085 / (20 * n)^0.37 } }' </dev/null >ray.csv
exits 1 "$LOGLOG" fit --points ray.csv --law surface
says 'not identified: .*tokens per parameter'

conclude
