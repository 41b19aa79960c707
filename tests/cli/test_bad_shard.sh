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
conclude
