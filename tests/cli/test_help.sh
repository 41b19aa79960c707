#!/usr/bin/env bash
# Every command answers --help on stdout with exit 0, and bad usage with one
# line on stderr and exit 2.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

exits 0 "$LOGLOG" --help
says '^usage: loglog COMMAND'
commands=$(sed -n '/^commands:/,/^$/{s/^  \([a-z]*\) .*/\1/p}' out)
[ "$(wc -w <<<"$commands")" -ge 12 ] || not_ok "too few commands: $commands"

for c in $commands; do
    for flag in --help -h; do
        exits 0 "$LOGLOG" "$c" $flag
        says "^usage: loglog $c"
        says '^options:'
        [ -s err ] && not_ok "$c $flag writes on stderr"
    done
    # --help wins over whatever else is wrong
    exits 0 "$LOGLOG" "$c" --no-such-option --help
    refuses 2 "no-such-option" "$LOGLOG" "$c" --no-such-option
done
for c in pack mix tokenize train-tokenizer synth info sample text link get; do
    exits 0 "$LOGLOG" data $c --help
    says "^usage: loglog data $c"
    refuses 2 'unknown option' "$LOGLOG" data $c --no-such-option
done

exits 2 "$LOGLOG"
exits 0 "$LOGLOG" --version
says '^loglog [0-9]+\.[0-9]+'
refuses 2 "unknown command 'plam', did you mean plan\?" "$LOGLOG" plam
refuses 2 "unknown command 'qqqqqq' \(see loglog --help\)" "$LOGLOG" qqqqqq
refuses 2 'did you mean --valid-share' "$LOGLOG" data pack --valid-shar=1 x -o y \
    --valid-shara 1
refuses 2 "unknown subcommand 'samples', did you mean sample" \
    "$LOGLOG" data samples
conclude
