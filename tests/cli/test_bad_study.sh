#!/usr/bin/env bash
# A study file that is none is answered with file and line, before anything is
# made.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

make_study
# edit SED-SCRIPT: bad.yaml out of tiny.yaml
edit() {
    sed "$1" tiny.yaml >bad.yaml
    if cmp -s tiny.yaml bad.yaml; then
        not_ok "sed '$1' changes nothing"
    fi
}
# bad TEXT: both plan and run refuse bad.yaml, and no database is made
bad() {
    refuses 2 "$1" "$LOGLOG" plan bad.yaml
    refuses 2 "$1" "$LOGLOG" run bad.yaml --db new.db
    if [ -e new.db ]; then
        not_ok "a database is made for: $1"
        rm -f new.db*
    fi
}

exits 0 "$LOGLOG" plan tiny.yaml
: >bad.yaml
bad 'bad.yaml:1: '
head -c 100 tiny.yaml >bad.yaml
bad 'bad.yaml:[0-9]+: '
printf 'study: caf\xe9\n' >bad.yaml
bad 'bad.yaml:1: not UTF-8'
head -c 3000 /dev/urandom >bad.yaml
bad 'bad.yaml:'
yes '# a comment that never ends' | head -c 5000000 >bad.yaml
bad 'bad.yaml: 5000000 bytes, at most'
printf 'a: &a [x, x, x]\nb: [*a, *a, *a]\n' >bad.yaml
bad 'bad.yaml:1: '
printf '[%.0s' $(seq 1 20000) >bad.yaml
bad 'bad.yaml:'
edit 's/vocab:/vocabs:/'
bad 'bad.yaml:3: .*vocabs.*did you mean .*vocab'
edit 's/head_dim: 8/head_dim: eight/'
bad 'bad.yaml:3: head_dim'
edit 's/head_dim: 8/head_dim: -8/'
bad 'bad.yaml:3: head_dim'
edit 's/2e7, 4e7/2e7, 4e77777/'
bad 'bad.yaml:7: '
edit 's/- hyper:/- hyber:/'
bad 'bad.yaml:6: .*hyber.*hyper'
edit '/^stages/,99d'
bad 'bad.yaml:.*stages'
edit 's/ratio: 2/ratio: 1/'
bad 'bad.yaml:8: .*ratio'
edit 's/packed.train/packet/'
refuses 2 "bad.yaml:2: data.train: .*does not exist" \
    "$LOGLOG" run bad.yaml --db new.db
edit 's/vocab: 256/vocab: 100/'
refuses 2 'vocabulary of 256, model.vocab is 100' \
    "$LOGLOG" run bad.yaml --db new.db
refuses 2 'nowhere.yaml: No such file' "$LOGLOG" plan nowhere.yaml
refuses 2 '--db FILE is needed' "$LOGLOG" run tiny.yaml
conclude
