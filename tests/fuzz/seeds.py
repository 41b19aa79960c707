#!/usr/bin/env python3
"""Seeds for the fuzzers that need sound input to get anywhere.

    python3 tests/fuzz/seeds.py DIR

writes DIR/tokenizer (fuzz_tokenizer), DIR/16 and DIR/32 (fuzz_shard with
LOGLOG_FUZZ_LAYOUT=16, a manifest, and =32, a shard).
"""
import json
import os
import random
import struct
import sys

GOLDEN = os.path.join(os.path.dirname(__file__), "../golden/tokenizers")

SETS = [  # bytes a token, vocabulary, documents
    (1, 256, [b"hello world", b"abc" * 9]),
    (1, 256, [b"x"]),
    (2, 301, [[1, 300, 5], [299] * 20]),
    (4, 401, [[400, 1]]),
]


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def shard(width, vocab, documents):
    """The header's numbers, the tokens and the index, as own_shard has them."""
    tokens, index, n, size = b"", b"", 0, 0
    for d in documents:
        tokens += b"".join(int(k).to_bytes(width, "little") for k in d)
        tokens += bytes(width)
        n += len(d) + 1
        size += len(d) + 1
        index += struct.pack("<QQ", n, len(d) + 1)
    tokens += bytes(-len(tokens) % 8)
    head = struct.pack("<BBBBII", width, n, len(documents), 0, vocab, size)
    return head, tokens + index, n


def manifest(width, vocab, documents):
    head, body, n = shard(width, vocab, documents)
    counts = {"documents": len(documents), "tokens": n, "bytes": n}
    m = {"format": "loglog-packed", "version": 1, "vocab": vocab,
         "tokenizer": "bytes" if vocab == 256 else "bpe 0", **counts,
         "distinct": len({k for d in documents for k in d} | {0}),
         "sha256": "#" * 64,
         "shards": [{"file": "shard-00000.tok", "size": 128 + len(body),
                     **counts, "sha256": "@" * 64}],
         "source": {"set": "valid", "inputs": ["t"], "seed": 0}}
    if vocab != 256:
        m.update(token_bytes=True, mark=0)
    text = json.dumps(m).encode()
    while True:  # until the second byte can say where the shard begins
        size = 2 + len(text) + len(head + body)
        for at in range(256):
            if 3 + (size - 3) * at // 256 == len(text) + 2:
                return bytes([16, at]) + text + head + body
        text += b" "


def merges(rng):
    """Merges among few tokens, and a word of the same bytes."""
    few = rng.choice([b"ab", b"abc", "中".encode(), b"the "])
    n = rng.randrange(5, 59)
    data = bytearray([4, n])
    for _ in range(n):
        for new in rng.random() < 0.7, rng.random() < 0.5:
            at = rng.randrange(60) if new else rng.choice(few)
            data += bytes([rng.randrange(128) * 2 & ~2 | new, at])
    return bytes(data) + bytes(rng.choices(few, k=rng.randrange(20, 200)))


def main():
    out, rng = sys.argv[1], random.Random(1)
    for name in "tokenizer", "16", "32":
        os.makedirs(os.path.join(out, name), exist_ok=True)
    for k, s in enumerate(SETS):
        head, body, _ = shard(*s)
        write(f"{out}/32/{k}", b" " + head + body)
        write(f"{out}/16/{k}", manifest(*s))
    with open(f"{GOLDEN}/cases.bin", "rb") as f:
        text = f.read()
    for k in range(4):  # under each of the sound tokenizers
        for at in range(0, len(text), 1200):
            write(f"{out}/tokenizer/text-{k}-{at}",
                  bytes([k]) + text[at:at + 1200])
    text = text.decode(errors="replace").replace("\ufffd", "").encode()
    for k in range(2):  # cut with and without an engine
        for at in range(0, len(text), 1200):
            write(f"{out}/tokenizer/words-{k}-{at}",
                  bytes([5, k]) + text[at:at + 1200].decode(
                      errors="ignore").lstrip("\ufffd").encode())
    for k in range(60):
        write(f"{out}/tokenizer/merges-{k}", merges(rng))
    for name in os.listdir(GOLDEN):
        if name.endswith((".json", ".tiktoken")):
            with open(f"{GOLDEN}/{name}", "rb") as f:
                write(f"{out}/tokenizer/{name}", f.read())


if __name__ == "__main__":
    main()
