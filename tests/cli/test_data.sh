#!/usr/bin/env bash
# loglog data: text goes in and comes out again; bad input is one line.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# forty documents of different lengths in four directories
mkdir -p text/a text/b text/c text/d
for i in $(seq 1 40); do
    d=$(printf 'abcd' | cut -c $((i % 4 + 1)))
    seq "$i" $((i * 7)) >"text/$d/doc$i"
done

exits 0 "$LOGLOG" data pack --out packed --valid-share 0.2 text
says '^40 files, 40 documents'
exits 0 "$LOGLOG" data info --check packed
says 'packed/train .*every byte checked'
says 'packed/valid .*every byte checked'
exits 0 "$LOGLOG" data info --json packed/train
says '"tokenizer":"bytes".*"vocab":256'
# all the text is there again, and nothing else
tail -qc +129 packed/train/shard-00000.tok packed/valid/shard-00000.tok |
    tr '\0' '\n' | grep -aE '^[0-9]+$' | sort >have
cat text/*/* | sort >want
cmp -s <(sort -u want) <(sort -u have) || not_ok "numbers are missing"
# the manifest is what sha256sum says
sum=$(cd packed/train && sha256sum shard-*.tok | sha256sum)
grep -q "\"sha256\": \"${sum%% *}\"" packed/train/manifest.json ||
    not_ok "sha256 of the set"
exits 0 "$LOGLOG" data sample --documents 2 packed/train
[ "$(grep -c '^--- document' out)" -eq 2 ] || not_ok "two documents"

# again: nothing happens; otherwise: only by force
exits 0 "$LOGLOG" data pack --out packed --valid-share 0.2 text
says 'held the same already'
refuses 2 'other content; --force' \
    "$LOGLOG" data pack --out packed --valid-share 0.3 text
exits 0 "$LOGLOG" data pack --out packed --valid-share 0.3 --force text
exits 0 "$LOGLOG" data pack --out dirs --split directory --valid-dirs b text
exits 0 "$LOGLOG" data info --json dirs/valid
says '"documents":10,'

# under a tokenizer: the text comes back, and the bytes are the same
tokenizers=$(dirname "$0")/../golden/tokenizers
if "$LOGLOG" data tokenize --tokenizer "$tokenizers/gpt2.json" --out bpe \
    packed >out 2>err; then
    says '^train .* [0-9.]* '
    exits 0 "$LOGLOG" data pack --tokenizer "$tokenizers/gpt2.json" --out bpe2 \
        --valid-share 0.3 text
    for t in bpe bpe2; do
        exits 0 "$LOGLOG" data info --check --json "$t/train"
        cut -d'"' -f8 out >"$t.sha"
    done
    cmp -s bpe.sha bpe2.sha || not_ok "pack and tokenize differ"
    exits 0 "$LOGLOG" data sample --documents 1 bpe/valid
    says '^[0-9]+$'
else
    grep -q 'this build has no PCRE2' err || not_ok "data tokenize: $(cat err)"
fi
refuses 2 'no tokenizer: expected bytes' \
    "$LOGLOG" data tokenize --tokenizer text --out x packed

# what cannot be
refuses 2 'packed: not a packed set, did you mean packed/train\?' \
    "$LOGLOG" data sample packed
refuses 2 'text: not a packed set' "$LOGLOG" data info text
refuses 3 'nowhere: No such file' "$LOGLOG" data pack --out x nowhere
refuses 2 'too few arguments' "$LOGLOG" data pack --out x
refuses 2 '--out DIR is needed' "$LOGLOG" data pack text
refuses 2 '--split word: expected document, directory or none' \
    "$LOGLOG" data pack --out x --split word text
refuses 2 'valid-share 2: expected a share' \
    "$LOGLOG" data pack --out x --valid-share 2 text
refuses 2 'is no integer' "$LOGLOG" data pack --out x --valid-bytes ten text
refuses 2 'the name is taken' "$LOGLOG" data pack --out x --set train=text text
refuses 2 'expected NAME=PATH' "$LOGLOG" data pack --out x --set ood text
: >empty
refuses 2 "no document would be in" "$LOGLOG" data pack --out x empty
printf 'caf\xe9 is latin-1' >text/latin
refuses 2 'text/latin: offset 3: not UTF-8' \
    "$LOGLOG" data pack --out x --invalid refuse text
refuses 2 "'verse' is no corpus" "$LOGLOG" data get verse
exits 0 "$LOGLOG" data get
says '^prose .*public domain'
[ -e x ] || [ -e x.packing ] && not_ok "a refused pack leaves something"

# a directory that is not ours is never replaced
mkdir thesis && echo precious >thesis/chapter1
refuses 2 'thesis/chapter1: not made by data pack' \
    "$LOGLOG" data pack --out thesis --force text
[ "$(cat thesis/chapter1)" = precious ] || not_ok "the thesis is gone"
conclude
