#!/usr/bin/python3
"""Numbers that trainer/ must reproduce, from PyTorch in double precision.

    /usr/bin/python3 tests/golden/make_golden.py > tests/golden/golden.h

Written from the equations on top of trainer/model.c with PyTorch's own
operations, autograd and AdamW; made with PyTorch 1.13.1 (Debian 12).  Weights
and tokens are a hash of their position, so none are stored.
"""
import math
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

# vocab, seq_len, d_model, n_layer, n_head, n_kv_head, d_ff
SHAPES = [(29, 19, 48, 2, 3, 1, 40), (50, 33, 64, 2, 4, 4, 176)]
THETA, EPS = 1e4, 1e-6
ROWS, STEPS = 3, 10
LR, B1, B2, ADAM_EPS, DECAY, CLIP = 2e-3, 0.9, 0.95, 1e-8, 0.1, 1.0


def hash01(i, salt):
    """24 bits of a multiplicative hash, in [0, 1)."""
    x = (i * 2654435761 + salt * 40503) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 2246822519) & 0xFFFFFFFF
    return (x >> 8) / float(1 << 24)


def tensors(s):
    """(name, shape, kind) in the order of trainer/params.c."""
    v, _, c, n, h, g, f = s
    hd = c // h
    yield "embed", (v, c), "embedding"
    for l in range(n):
        yield f"layer{l}.norm1", (c,), "norm"
        yield f"layer{l}.wqkv", ((h + 2 * g) * hd, c), "matrix"
        yield f"layer{l}.wo", (c, c), "matrix"
        yield f"layer{l}.norm2", (c,), "norm"
        yield f"layer{l}.wgu", (2 * f, c), "matrix"
        yield f"layer{l}.wdown", (c, f), "matrix"
    yield "norm", (c,), "norm"
    yield "head", (v, c), "matrix"


def make(s):
    params, at = {}, 0
    for name, shape, kind in tensors(s):
        n = math.prod(shape)
        x = torch.tensor([hash01(at + i, 1) - 0.5 for i in range(n)])
        if kind == "norm":
            x = 1 + 0.5 * x
        elif kind == "embedding":
            x = 2 * x
        else:
            x = x * 2 / math.sqrt(shape[-1])
        # what a float holds, so that both programs start from the same
        params[name] = x.float().double().reshape(shape).requires_grad_()
        at += (n + 15) // 16 * 16
    return params


def rmsnorm(x, g):
    return g * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + EPS)


def rope(x):  # [T, heads, hd]
    t, _, hd = x.shape
    half = hd // 2
    freq = THETA ** (-2.0 * torch.arange(half) / hd)
    angle = torch.arange(t, dtype=torch.float64)[:, None] * freq
    c, s = angle.cos()[:, None, :], angle.sin()[:, None, :]
    lo, hi = x[..., :half], x[..., half:]
    return torch.cat([lo * c - hi * s, hi * c + lo * s], -1)


def logits(p, s, token):
    v, t, c, n, h, g, f = s
    hd = c // h
    mask = torch.full((t, t), -math.inf).triu(1)
    x = p["embed"][token]
    for l in range(n):
        w = lambda name: p[f"layer{l}.{name}"]
        qkv = rmsnorm(x, w("norm1")) @ w("wqkv").T
        q, k, val = qkv.split([h * hd, g * hd, g * hd], -1)
        q = rope(q.reshape(t, h, hd))
        k = rope(k.reshape(t, g, hd)).repeat_interleave(h // g, 1)
        val = val.reshape(t, g, hd).repeat_interleave(h // g, 1)
        a = torch.einsum("ihd,jhd->hij", q, k) / math.sqrt(hd) + mask
        o = torch.einsum("hij,jhd->ihd", a.softmax(-1), val).reshape(t, c)
        x = x + o @ w("wo").T
        gate, up = (rmsnorm(x, w("norm2")) @ w("wgu").T).split(f, -1)
        x = x + (F.silu(gate) * up) @ w("wdown").T
    return rmsnorm(x, p["norm"]) @ p["head"].T


def nats(p, s, rows):
    return sum(F.cross_entropy(logits(p, s, r[:-1]), r[1:], reduction="sum")
               for r in rows)


def tokens(s, step):
    v, t = s[0], s[1]
    n = ROWS * (t + 1)
    x = [int(hash01(step * n + i, 2) * v) for i in range(n)]
    return torch.tensor(x).reshape(ROWS, t + 1)


def lr_of(step):  # three warm-up steps, then drops at steps 8 and 9
    return LR * min(1, step / 3) * (0.1 if step > 9 else
                                    0.316 if step > 8 else 1)


def numbers(values):
    return ", ".join(f"{float(v):.12g}" for v in values)


def emit(k, s):
    p = make(s)
    rows = tokens(s, 0)
    with torch.no_grad():
        each = [nats(p, s, [r]) for r in rows]
        last = F.log_softmax(logits(p, s, rows[0][:-1])[-1], -1)
    nats(p, s, rows).backward()
    print(f"static const double golden{k}_nats[] = {{{numbers(each)}}};")
    print(f"/* log softmax of the last position of row 0 */")
    print(f"static const double golden{k}_last[] = {{{numbers(last)}}};")
    print("/* norm, first, middle and last element of each gradient */")
    print(f"static const double golden{k}_grad[][4] = {{")
    for q in p.values():
        g = q.grad.flatten()
        print(f"    {{{numbers([g.norm(), g[0], g[len(g) // 2], g[-1]])}}},")
    print("};")
    decay = [q for n, q in p.items() if tensors_kind(s)[n] == "matrix"]
    rest = [q for n, q in p.items() if tensors_kind(s)[n] != "matrix"]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": DECAY},
                             {"params": rest, "weight_decay": 0.0}],
                            betas=(B1, B2), eps=ADAM_EPS)
    losses, norms = [], []
    for step in range(1, STEPS + 1):
        for group in opt.param_groups:
            group["lr"] = lr_of(step)
        opt.zero_grad()
        loss = nats(p, s, tokens(s, step)) / (ROWS * s[1])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(p.values(), CLIP)
        losses.append(loss.detach())
        norms.append(norm)
        opt.step()
    print(f"static const double golden{k}_losses[] = {{{numbers(losses)}}};")
    print(f"static const double golden{k}_norms[] = {{{numbers(norms)}}};")
    print("/* norm and first element of each tensor after the last step */")
    print(f"static const double golden{k}_after[][2] = {{")
    for q in p.values():
        print(f"    {{{numbers([q.detach().norm(), q.detach().flatten()[0]])}}},")
    print("};")


def tensors_kind(s):
    return {name: kind for name, _, kind in tensors(s)}


def main():
    print("/* golden: made by make_golden.py; do not edit. */")
    print("/* clang-format off */")
    for name, value in [("ROWS", ROWS), ("STEPS", STEPS), ("LR", LR),
                        ("BETA1", B1), ("BETA2", B2), ("EPS", ADAM_EPS),
                        ("DECAY", DECAY), ("CLIP", CLIP)]:
        print(f"#define GOLDEN_{name} {value!r}")
    for k, s in enumerate(SHAPES):
        print(f"\n/* vocab, seq_len, d_model, n_layer, n_head, n_kv_head, d_ff"
              f" */\nstatic const long golden{k}_shape[] = "
              f"{{{', '.join(map(str, s))}}};")
        emit(k, s)


if __name__ == "__main__":
    sys.exit(main())
