#!/usr/bin/env bash
# The page of the micro study says what its database says: every query on it is
# asked again of the committed, thinned file and must give the lines that are
# below it; the file is sound, and its laws are refitted to the same digits.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

folder=$LOGLOG_SOURCE/docs/study
cp "$folder/study.db" .
PATH=$(dirname "$LOGLOG"):$PATH
exits 0 "$LOGLOG" db check study.db

# block COMMAND-LINE: what the page has below it
block() {
    awk -v want="$1" 'on && !/^    / { exit } on { print }
        $0 == want { on = 1 }' "$folder/README.md"
}
mapfile -t asked < <(grep -E '^    \$ loglog (query study.db|fit study.db .*--law (isoflop|loss))' \
    "$folder/README.md" | grep -v -e '@provenance' -e method)
[ "${#asked[@]}" -gt 10 ] || not_ok "only ${#asked[@]} questions on the page"
for line in "${asked[@]}"; do
    bash -c "${line#'    $ '}" 2>&1 | sed -e 's/[[:space:]]*$//' \
        -e 's/^\(.\)/    \1/' -e '/^$/d' >said
    block "$line" | sed '/^$/d' >want
    # a fit's page has blank lines in it: its first block will do
    if [ -s want ] && diff <(head -n "$(wc -l <want)" said) want >difference; then
        ok
    else
        not_ok "$line: $(head -4 difference)"
    fi
done
conclude
