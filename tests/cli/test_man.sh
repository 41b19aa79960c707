#!/usr/bin/env bash
# The man pages of the build are those of the program, have every command and
# every option, and are clean.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

exits 0 "$LOGLOG" --help
commands=$(sed -n '/^commands:/,/^$/{s/^  \([a-z]*\) .*/\1/p}' out)
exits 0 "$LOGLOG" help --list
for c in $commands 'data pack' 'data get'; do
    says "^$c\$"
done
mapfile -t pages <out
man=$(dirname "$LOGLOG")/man
[ -f "$man/stamp" ] || skip "the manual has not been built ($man)"

# clean PAGE: nobody complains about it.
clean() {
    local said
    if command -v mandoc >/dev/null; then
        said=$(mandoc -T lint -W warning "$1")
        [ -z "$said" ] || not_ok "$said"
    fi
    if command -v groff >/dev/null; then
        said=$(groff -ww -t -man -Tutf8 "$1" 2>&1 >/dev/null |
            grep -v 'cannot adjust line\|table wider')
        [ -z "$said" ] || not_ok "$said"
    fi
    ok
}
for c in "${pages[@]}"; do
    read -ra words <<<"$c"
    page=$man/loglog-${c// /-}.1
    exits 0 "$LOGLOG" help --man "${words[@]}"
    # the day of the commit may have changed since
    if diff <(sed 1d out) <(sed 1d "$page") >/dev/null; then
        ok
    else
        not_ok "$page is not what the program says"
    fi
    clean "$page"
    exits 0 "$LOGLOG" help "${words[@]}"
    cp out help
    exits 0 "$LOGLOG" "${words[@]}" --help
    cmp -s out help || not_ok "help $c is not $c --help"
    for option in $(sed -n '/^options:/,$s/^ *\(-[a-z], \)\{0,1\}--\([a-z-]*\).*/\2/p' out); do
        grep -qF -- "\\-\\-${option//-/\\-}\\fR" "$page" ||
            not_ok "$page lacks --$option"
    done
done
clean "$man/loglog.1"
for c in $commands; do
    grep -qF "loglog\\-$c (1)" "$man/loglog.1" || not_ok "loglog.1 lacks $c"
done
if [ -f "$man/loglog-database.7" ]; then
    clean "$man/loglog-database.7"
    clean "$man/loglog-study.5"
    grep -q '^loglog-study \\- ' "$man/loglog-study.5" ||
        not_ok "loglog-study(5) has no name"
else
    printf 'not tried: the topics (built without lowdown)\n'
fi
conclude
