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

# a list of names validates; near copies are left out and listed
printf 'a/doc4\nb/doc1\nb/doc5\n' >names
exits 0 "$LOGLOG" data pack --out listed --valid-list names text
exits 0 "$LOGLOG" data info --json listed/valid
says '"documents":3,'
echo 'a/none' >>names
refuses 2 "names:4: 'a/none': no document" \
    "$LOGLOG" data pack --out x --valid-list names text
mkdir near
seq -s ' ' 1 900 >near/one
seq -s ' ' 1 905 >near/two
seq -s ' ' 5000 5900 >near/three
exits 0 "$LOGLOG" data pack --out apart --split none --near 0.8 near
says 'left out: 1 near copies'
grep -q 'near-copy.near/two.*like near/one' apart/notes.tsv ||
    not_ok "notes of near copies"
refuses 2 'near 2: expected a similarity' \
    "$LOGLOG" data pack --out x --near 2 text

# mixtures: validation sets are copied as they are; noise
exits 0 "$LOGLOG" data mix --out mixed 1=packed 3=dirs
says '^dirs-valid '
says '^train .* - '
exits 0 "$LOGLOG" data mix --out worse --shuffled 0.5 packed
cmp -s packed/valid/shard-00000.tok worse/valid/shard-00000.tok ||
    not_ok "the validation set of a mixture is not the same"
refuses 2 'too few for its weight' \
    "$LOGLOG" data mix --out x --tokens 1e9 packed
refuses 2 'expected WEIGHT=DIR' "$LOGLOG" data mix --out x zero=packed

# text of known entropy, and all the text of a set
exits 0 "$LOGLOG" data synth --out synth --bytes 1e5 --valid-bytes 2e4
says '^entropy 1.279808 bits per byte'
grep -q '"entropy_bits_per_byte": 1.2798' synth/train/manifest.json ||
    not_ok "the entropy is not in the manifest"
exits 0 "$LOGLOG" data info --check synth
refuses 2 'data synth: .* coupling 1' \
    "$LOGLOG" data synth --out x --coupling 1
"$LOGLOG" data text synth/valid | cmp -s - <(tail -c +129 \
    synth/valid/shard-00000.tok | head -c "$("$LOGLOG" data text synth/valid |
        wc -c)") || not_ok "data text"

# under a tokenizer: the text comes back, and the bytes are the same
"$LOGLOG" data text packed/valid >packed.txt
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
    "$LOGLOG" data text bpe/valid >bpe.txt
    cmp -s packed.txt bpe.txt || not_ok "the text of tokens is another"
    exits 0 "$LOGLOG" data sample --documents 1 bpe/valid
    says '^[0-9]+$'
else
    grep -q 'this build has no PCRE2' err || not_ok "data tokenize: $(cat err)"
fi
# the space that SentencePiece puts before a document is not of its text
if "$LOGLOG" data tokenize --tokenizer "$tokenizers/llama.model" --out llama \
    packed >out 2>err; then
    "$LOGLOG" data text llama/valid | cmp -s - packed.txt ||
        not_ok "the text of a SentencePiece set is another"
else
    grep -q 'this build has no SentencePiece' err ||
        not_ok "data tokenize: $(cat err)"
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
