#!/usr/bin/env bash
# A damaged or truncated shard is refused, with the file and the place.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

for i in $(seq 1 40); do
    seq "$i" $((i * 9)) >"doc$i"
done
mkdir text && mv doc* text
exits 0 "$LOGLOG" data pack --out good --valid-share 0.2 text
shard=bad/train/shard-00000.tok

fresh() {
    rm -rf bad
    cp -r good bad
}
poke() { # OFFSET BYTES
    printf '%b' "$2" | dd of=$shard bs=1 seek="$1" conv=notrunc status=none
}

fresh
truncate -s -1 $shard
refuses 2 "$shard: .* bytes, the header says .*truncated" \
    "$LOGLOG" data info bad/train
fresh
: >$shard
refuses 2 "$shard: not a token shard" "$LOGLOG" data info bad/train
fresh
head -c 5000 /dev/urandom >$shard
refuses 2 "$shard: not a token shard" "$LOGLOG" data info bad/train
fresh
poke 30 'x'
refuses 2 "$shard: header damaged" "$LOGLOG" data info bad/train
fresh
poke 300 'x'
exits 0 "$LOGLOG" data info bad/train # sizes agree
refuses 2 "$shard: tokens damaged .*offset 128" \
    "$LOGLOG" data info --check bad/train
fresh
rm $shard
refuses 3 "$shard: No such file" "$LOGLOG" data info bad/train
fresh
cp good/valid/shard-00000.tok $shard
refuses 2 "$shard: not the shard that manifest.json describes" \
    "$LOGLOG" data info bad/train
fresh
printf '{"format"' >bad/train/manifest.json
refuses 2 'bad/train/manifest.json:1: ' "$LOGLOG" data info bad/train
fresh
head -c 100 /dev/urandom >bad/train/manifest.json
refuses 2 'bad/train/manifest.json:' "$LOGLOG" data info bad/train

# what no run may begin with: refused by plan, run and train, with file and
# place, and before a database is made
make_study
# study TRAIN VALID: bad.yaml
study() {
    sed "s|packed/train|'$1'|; s|packed/valid|'$2'|" tiny.yaml >bad.yaml
}
bad() { # TEXT
    refuses 2 "$1" "$LOGLOG" plan bad.yaml
    refuses 2 "$1" "$LOGLOG" run bad.yaml --db new.db
    if [ -e new.db ]; then
        not_ok "a database is made for: $1"
        rm -f new.db*
    fi
}
exits 0 "$LOGLOG" plan tiny.yaml
# other programs' files are named as they are, by pattern and layout too
mkdir raw
for i in 1 2; do cat text/* >"raw/part$i.bin"; done
head -c 4000 /dev/urandom >raw/valid
study 'raw/part*.bin:bytes' raw/valid:bytes
exits 0 "$LOGLOG" plan bad.yaml
says '^ *[0-9]'
# tokens whose bytes are not known have a loss, and no bits per byte
u16() { # FIRST STEP LAST
    for i in $(seq "$@"); do printf '%b\0' "\\0$(printf '%03o' "$i")"; done
}
u16 1 1 100 >raw/train.u16
u16 200 -1 101 >raw/valid.u16
for set in train valid; do
    exits 0 "$LOGLOG" data link --layout u16 --vocab 256 --out link/$set \
        raw/$set.u16
done
unknown() { # TRAIN VALID
    exits 0 "$LOGLOG" train --train "$1" --valid "$2" --valid "again=$2" \
        --width 16 --set model.seq_len=16 --set model.vocab=256 \
        --set batch_tokens=64 --set optim.lr=1e-2 --flops 1e7
    says 'loss [0-9.]+, bits per byte unknown on valid$'
}
unknown link/train link/valid
unknown raw/train.u16:u16,vocab=256 raw/valid.u16:u16,vocab=256
study 'raw/part*.bin:bytes' packed/valid
bad 'packed/valid: [0-9]+ % of it, by .*, is in the training .*, first at token [0-9]+ of that'
study packed/train packed/train
bad 'packed/train: the validation set is the training set packed/train'
exits 0 "$LOGLOG" data pack --out whole --split none text
study whole/train packed/valid
bad 'packed/valid: [0-9]+ of its .* are in the training set whole/train, the first at token [0-9]+'
refuses 2 'documents are in the training set' "$LOGLOG" train \
    --train whole/train --valid packed/valid --width 16 --flops 1e7
mkdir u16
u16 1 1 200 >u16/train.bin
printf '\001\001' >>u16/train.bin # token 257, at offset 400
study u16/train.bin:u16,vocab=256,bytes=400 packed/valid
bad 'u16/train.bin: offset 400: token 257 is outside the vocabulary of 256'
printf 'x' >>u16/train.bin
bad 'u16/train.bin: 403 bytes'
head -c 12 /dev/zero >u16/short.bin
study packed/train u16/short.bin:bytes
bad 'u16/short.bin:bytes: 12 tokens, at least seq_len . 1 = 17'
: >u16/empty.bin
study packed/train u16/empty.bin:bytes
bad 'u16/empty.bin'
cp -r packed damaged
printf 'x' | dd of=damaged/train/shard-00000.tok bs=1 seek=300 conv=notrunc \
    status=none
study damaged/train packed/valid
bad 'damaged/train/shard-00000.tok: tokens damaged .*offset 128'
truncate -s -8 damaged/train/shard-00000.tok
bad 'damaged/train/shard-00000.tok: .*truncated'
# a shard of another set, and tokens that are wider than they are said to be
cp packed/valid/shard-00000.tok damaged/train/shard-00000.tok
bad 'damaged/train/shard-00000.tok: not the shard that manifest.json describes'
head -c 4002 /dev/urandom >u16/wide.bin
study u16/wide.bin:u32,vocab=256,bytes=4000 packed/valid
bad 'u16/wide.bin: 4002 bytes'
conclude
