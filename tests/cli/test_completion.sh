#!/usr/bin/env bash
# bash completion offers the commands and options that the program has.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=packaging/completions/loglog.bash
. "$LOGLOG_SOURCE/packaging/completions/loglog.bash"

# completes WORDS... : what is offered for the last word, into $offered
completes() {
    COMP_WORDS=("$LOGLOG" "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _loglog
    offered=" ${COMPREPLY[*]} "
}
offers() {
    local word
    for word in "$@"; do
        case $offered in
        *" $word "*) ok ;;
        *) not_ok "'$word' is not offered after: ${COMP_WORDS[*]}" ;;
        esac
    done
}

completes ''
offers plan run query data doctor --help
completes p
offers plan predict
[ "$offered" = "${offered/query/}" ] || not_ok "query begins with p?"
completes data ''
offers pack mix tokenize train-tokenizer synth info sample text link get
completes data pack --valid
offers --valid-share --valid-bytes --valid-glob --valid
completes data pack --
offers --out --split --json --force --help
completes run --
offers --db --time-limit
mkdir -p some/dir
touch some/file
completes data pack --out some/
offers some/dir
case $offered in *some/file*) not_ok "--out takes a directory" ;; esac
completes data pack --seed ''
[ -z "${COMPREPLY[*]}" ] || not_ok "nothing to offer for a number: $offered"
completes data info some/
offers some/dir some/file
conclude
