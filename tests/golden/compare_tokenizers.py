#!/usr/bin/env python3
"""The tokens of a set beside those of the original program, one by one.

    pip install tokenizers tiktoken sentencepiece
    loglog data pack --split none --tokenizer VOCAB --out OUT TEXTS
    python3 tests/golden/compare_tokenizers.py LOGLOG VOCAB[:PATTERN] OUT/train

VOCAB is a tokenizer.json, a .tiktoken or a .model file, whole and as published;
none is kept here.  PATTERN of a .tiktoken file: cl100k or o200k.
"""
import json
import os
import struct
import subprocess
import sys

WIDTH = {1: "B", 2: "H", 4: "I"}


def documents(directory):
    """The ids of each document of a set, without its mark."""
    with open(os.path.join(directory, "manifest.json")) as f:
        shards = [s["file"] for s in json.load(f)["shards"]]
    for name in shards:
        with open(os.path.join(directory, name), "rb") as f:
            data = f.read()
        width, = struct.unpack_from("<I", data, 12)
        tokens, n = struct.unpack_from("<QQ", data, 24)
        index = 128 + (tokens * width + 7) // 8 * 8
        ids = struct.unpack_from(f"<{tokens}{WIDTH[width]}", data, 128)
        begin = 0
        for k in range(n):
            end, = struct.unpack_from("<Q", data, index + 16 * k)
            yield list(ids[begin:end - 1])
            begin = end


def encoder(vocab):
    path, _, pattern = vocab.partition(":")
    if path.endswith(".json"):
        from tokenizers import Tokenizer
        tok = Tokenizer.from_file(path)
        tok.encode_special_tokens = True
        return lambda t: tok.encode(t, add_special_tokens=False).ids
    if path.endswith(".model"):
        import sentencepiece
        return sentencepiece.SentencePieceProcessor(model_file=path).encode
    import tiktoken
    import tiktoken.load
    import tiktoken_ext.openai_public as public
    ranks = tiktoken.load.load_tiktoken_bpe(path)
    public.load_tiktoken_bpe = lambda *a, **k: {}
    public.data_gym_to_mergeable_bpe_ranks = lambda *a, **k: {}
    pattern = getattr(public, (pattern or "cl100k") + "_base")()["pat_str"]
    return tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=ranks,
                             special_tokens={}).encode_ordinary


def main():
    loglog, vocab, directory = sys.argv[1:]
    encode = encoder(vocab)
    text = subprocess.run([loglog, "data", "text", directory], check=True,
                          stdout=subprocess.PIPE).stdout
    texts = text.split(b"\0")[:-1]
    compared = skipped = size = 0
    for number, (ids, text) in enumerate(zip(documents(directory), texts)):
        try:
            text = text.decode()
        except UnicodeDecodeError:  # the originals take text only
            skipped += 1
            continue
        if encode(text) != ids:
            sys.exit(f"document {number} differs: {text[:60]!r}")
        compared += len(ids)
        size += len(text.encode())
    print(f"{len(texts) - skipped} documents, {size} bytes, {compared} tokens: "
          f"equal; {skipped} documents that are not UTF-8 left out")


if __name__ == "__main__":
    main()
