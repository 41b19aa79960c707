#!/usr/bin/env python3
"""Tokens that trainer/tokenizer* must reproduce, from the original programs.

    pip install tokenizers tiktoken sentencepiece
    python3 tests/golden/make_tokenizers.py

Made with tokenizers 0.23.3, tiktoken 0.14.0, sentencepiece 0.2.3, Python 3.11.
Small tokenizers are learned from the sources and documents of this project and
from the cases themselves; no published vocabulary is needed or kept.  Written
to tests/golden/tokenizers/: the tokenizers, cases.bin (texts, a NUL behind
each), and NAME.ids, for each case the number of its ids and the FNV-1a hash of
their decimal text ("12 345 6").  With --ids the ids stand behind.
"""
import base64
import glob
import json
import os
import random
import sys
import unicodedata

import sentencepiece
import tiktoken
import tiktoken_ext.openai_public as openai_public
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models,
                        pre_tokenizers, trainers)

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "tokenizers")
ROOT = os.path.join(HERE, "..", "..")

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
# DeepSeek LLM (2024) and DeepSeek-V3
DEEPSEEK = ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"\s+$",
            "[一-龥ࠀ-一가-퟿]+"]
DEEPSEEK3 = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
             r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"
             r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
             r"\s*[\r\n]+|\s+(?!\S)|\s+"]

WRITTEN = """The quick brown fox doesn't jump; it's LAZY, they'll say: WE'VE 'RE.
'S 'ſ I'm you'd YOU'D 'Twas o'clock rock'n'roll 'ſt
Größe, naïve façade, Ærøskøbing, İstanbul ıI, ﬁne ﬂow, Straße STRASSE ẞ
Ελλάδα και Κύπρος, Привет, мир! Їжак, საქართველო, Հայաստան
שלום עולם, مرحبا بالعالم ١٢٣ ۴۵۶, हिन्दी में १२३ लिखा है, বাংলা, தமிழ், ไทยภาษา
中文分词很有趣,我们试试看。日本語のテキスト、カタカナとひらがな。 한국어 문장입니다.
emoji 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ☺️ 1️⃣ mixed with text😀and more
x = f(a[i], b->c) << 3; // 0xFF 1234567 3.14159e-10 ½ ² Ⅷ ⑨
if(!ok){return -1;}  /* comment */ #define FOO(x) ((x)*2)
<|endoftext|> is text, and <tool> is not, œuvre
e\u0301 vs é, a\u0308\u0301\u0316 zalgo
nbsp\u00a0here en\u2002space mongolian\u180ehere zero\u200bwidth nel\u0085x ls\u2028x
"""


def spaces(rnd):
    pool = " \t\n\r\v\f\u0085\u00a0\u1680\u180e\u2003\u200b\u2028\u202f\u3000"
    return "".join(rnd.choice(pool + "     \n\n ab1.") for _ in range(rnd.randint(1, 14)))


BLOCKS = [(0x20, 0x7E)] * 6 + [
    (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
    (0x590, 0x6FF), (0x900, 0x9FF), (0xE00, 0xE7F), (0x1E00, 0x1EFF),
    (0x2000, 0x206F), (0x2100, 0x214F), (0x2150, 0x218F), (0x2460, 0x24FF),
    (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFF00, 0xFFEF),
    (0x1D400, 0x1D7FF), (0x1F300, 0x1F64F), (0x20000, 0x2A6DF)]


def scramble(rnd):
    text = []
    for _ in range(rnd.randint(1, 6)):
        lo, hi = rnd.choice(BLOCKS)
        run = "".join(chr(rnd.randint(lo, hi)) for _ in range(rnd.randint(1, 9)))
        text.append("".join(c for c in run if unicodedata.category(c) != "Cn"))
        text.append(rnd.choice(["", " ", "  ", "\n", "\r\n", "\n\n  ", "'s"]))
    return "".join(text)


def cases():
    rnd = random.Random(20240102)
    out = WRITTEN.split("\n")[:-1] + [WRITTEN, WRITTEN.replace("\n", "\r\n")]
    out += [" lead", "trail ", "trail\n", "trail \n", "  \n \n", " ", "\n", "a",
            "=" * 700, "ab" * 300, "word" + " " * 300 + "end", "中文" * 150,
            "\n" * 40 + "x", "1234567890" * 12, "A" * 97, "!" * 96 + "z"]
    out += [scramble(rnd) for _ in range(160)]
    out += [spaces(rnd) for _ in range(60)]
    return [c for c in out if c and "\0" not in c]


def corpus():
    names = sorted(glob.glob(os.path.join(ROOT, "base", "*.c")) +
                   glob.glob(os.path.join(ROOT, "docs", "*.md")) +
                   glob.glob(os.path.join(ROOT, "trainer", "m*.c")))
    return [open(n).read() for n in names] + [WRITTEN] * 3


def split(*patterns, tail=True):
    parts = [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
    if tail:
        parts.append(pre_tokenizers.ByteLevel(add_prefix_space=False,
                                              use_regex=False))
    return parts


def hugging_face(texts):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=900, show_progress=False,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    base = json.loads(tok.to_str())
    digits = [pre_tokenizers.Digits(individual_digits=True)]
    stages = {
        "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
        "llama3": pre_tokenizers.Sequence(split(LLAMA3)),
        "deepseek": pre_tokenizers.Sequence(
            split(*DEEPSEEK, tail=False) + digits + split()),
        "deepseek3": pre_tokenizers.Sequence(split(*DEEPSEEK3)),
    }
    made = {}
    for name, stage in stages.items():
        tok = Tokenizer.from_str(json.dumps(base))
        tok.pre_tokenizer = stage
        if name == "deepseek":
            tok.add_tokens([AddedToken("œ", normalized=True),
                            AddedToken("<tool>"), AddedToken("<to")])
        o = json.loads(tok.to_str())
        o["model"]["ignore_merges"] = name == "llama3"
        text = json.dumps(o, ensure_ascii=False, separators=(",", ":"))
        made[name] = Tokenizer.from_str(text)
        with open(os.path.join(OUT, name + ".json"), "w") as f:
            f.write(text + "\n")
    return made, base


def ranks_of(base):
    """Bytes by rank, from the merges."""
    table = {}
    keep = (list(range(33, 127)) + list(range(161, 173)) +
            list(range(174, 256)))
    extra = 0
    for b in range(256):
        if b in keep:
            table[chr(b)] = b
        else:
            table[chr(256 + extra)] = b
            extra += 1
    tokens = sorted(base["model"]["vocab"].items(), key=lambda x: x[1])
    made = [bytes(table[c] for c in t) for t, i in tokens
            if t != "<|endoftext|>"]
    return {t: i for i, t in enumerate(made)}


def pattern_of(encoding):
    openai_public.load_tiktoken_bpe = lambda *a, **k: {}
    return getattr(openai_public, encoding)()["pat_str"]


def fnv1a(text):
    h = 0xcbf29ce484222325
    for b in text.encode():
        h = (h ^ b) * 0x100000001b3 & 0xFFFFFFFFFFFFFFFF
    return h


def write_ids(name, lists):
    with open(os.path.join(OUT, name + ".ids"), "w") as f:
        for ids in lists:
            text = " ".join(map(str, ids))
            f.write(f"{len(ids)} {fnv1a(text):016x}")
            f.write(f"  {text}\n" if "--ids" in sys.argv else "\n")


def main():
    os.makedirs(OUT, exist_ok=True)
    texts = cases()
    with open(os.path.join(OUT, "cases.bin"), "wb") as f:
        f.write(b"".join(t.encode() + b"\0" for t in texts))
    made, base = hugging_face(corpus())
    for name, tok in made.items():
        tok.encode_special_tokens = True
        write_ids(name + ".json", [tok.encode(t, add_special_tokens=False).ids
                                   for t in texts])
    ranks = ranks_of(base)
    with open(os.path.join(OUT, "small.tiktoken"), "w") as f:
        for token, rank in ranks.items():
            f.write(f"{base64.b64encode(token).decode()} {rank}\n")
    for name, pattern in [("gpt2", openai_public.r50k_pat_str),
                          ("cl100k", pattern_of("cl100k_base")),
                          ("o200k", pattern_of("o200k_base")),
                          ("llama3", LLAMA3)]:
        enc = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks,
                                special_tokens={})
        write_ids("small.tiktoken." + name,
                  [enc.encode_ordinary(t) for t in texts])
    sentences = os.path.join(OUT, "sentences.txt")
    with open(sentences, "w") as f:
        f.write("\n".join(corpus()))
    for name, more in [("small", dict(add_dummy_prefix=False,
                                      byte_fallback=True)),
                       ("llama", dict(byte_fallback=True)),
                       ("unigram", dict(model_type="unigram",
                                        byte_fallback=True))]:
        args = dict(input=sentences, model_prefix=os.path.join(OUT, name),
                    vocab_size=700, model_type="bpe",
                    normalization_rule_name="identity",
                    remove_extra_whitespaces=False, minloglevel=2,
                    allow_whitespace_only_pieces=True)
        args.update(more)
        sentencepiece.SentencePieceTrainer.train(**args)
        os.remove(os.path.join(OUT, name + ".vocab"))
        p = sentencepiece.SentencePieceProcessor(
            model_file=os.path.join(OUT, name + ".model"))
        write_ids(name + ".model", [p.encode(t) for t in texts])
    os.remove(sentences)


if __name__ == "__main__":
    main()
