"""Measures PyTorch on the shapes of rows.rs: milliseconds of the forward pass, and of forward and backward, the median of ten.

Run with torch 2.6.0: python peer_rows.py THREADS
"""

import statistics
import sys
import time

import torch
import torch.nn.functional as F

rand = lambda *shape: torch.rand(shape) * 2 - 1
maps, tokens = (2, 256, 128, 128), (2, 16384, 64)
attend = F.scaled_dot_product_attention


def layer_norm2d(x, w, b):
    mean = x.mean(1, keepdim=True)
    variance = (x - mean).pow(2).mean(1, keepdim=True)
    return w[:, None, None] * ((x - mean) / torch.sqrt(variance + 1e-6)) + b[:, None, None]


places = torch.arange(2 * 19 * 8196).mul(7919).remainder(65536).reshape(2, 19, 8196)
CASES = [
    ("batch_norm 2x256x128x128", [maps, (256,), (256,)], lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True)),
    ("group_norm 32, 2x256x128x128", [maps, (256,), (256,)], lambda x, w, b: F.group_norm(x, 32, w, b)),
    ("layer_norm 2x16384x64", [tokens, (64,), (64,)], lambda x, w, b: F.layer_norm(x, (64,), w, b, 1e-6)),
    ("layer_norm2d 2x64x128x128", [(2, 64, 128, 128), (64,), (64,)], layer_norm2d),
    ("relu 2x256x128x128", [maps], F.relu),
    ("gelu 2x256x128x128", [maps], F.gelu),
    ("gelu_tanh 2x256x128x128", [maps], lambda x: F.gelu(x, approximate="tanh")),
    ("silu 2x256x128x128", [maps], F.silu),
    ("sigmoid 2x256x128x128", [maps], torch.sigmoid),
    ("tanh 2x256x128x128", [maps], torch.tanh),
    ("elu 2x256x128x128", [maps], F.elu),
    ("leaky_relu 2x256x128x128", [maps], F.leaky_relu),
    ("hard_swish 2x256x128x128", [maps], F.hardswish),
    ("prelu 2x256x128x128", [maps, (256,)], F.prelu),
    ("softmax of rows 2x16384x256", [(2, 16384, 256)], lambda x: F.softmax(x, -1)),
    ("log_softmax of classes 2x19x256x512", [(2, 19, 256, 512)], lambda x: F.log_softmax(x, 1)),
    ("attention 1024x256, 8 heads of 32", [(2, 8, 1024, 32), (2, 8, 256, 32), (2, 8, 256, 32)], attend),
    ("attention 4096x4096, 1 head of 64", [(1, 1, 4096, 64)] * 3, attend),
    (
        "attention of 128 windows 49x49, 3 heads of 32, position bias",
        [(128, 3, 49, 32)] * 3 + [(1, 3, 49, 49)],
        lambda q, k, v, bias: ((q * 0.18) @ k.transpose(-2, -1) + bias).softmax(-1) @ v,
    ),
    ("gather 2x19x8196 of 65536", [(2, 19, 65536)], lambda x: x.gather(2, places)),
    ("cumsum 1000x1000", [(1000, 1000)], lambda x: x.cumsum(1)),
    ("cumsum of a million", [(1_000_000,)], lambda x: x.cumsum(0)),
    ("sort of a million", [(1, 1_000_000)], lambda x: torch.sort(x, dim=-1, descending=True, stable=True).values),
    ("top 1000 of a million", [(1, 1_000_000)], lambda x: x.topk(1000).values),
]


def median(run):
    run()
    times = []
    for _ in range(10):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    print(f"{'case':62} {'forward':>9} {'both':>9}  ms")
    for name, shapes, operation in CASES:
        inputs = [rand(*shape).requires_grad_() for shape in shapes]
        with torch.no_grad():
            forward = median(lambda: operation(*inputs))

        def both():
            for tensor in inputs:
                tensor.grad = None
            y = operation(*inputs)
            y.backward(torch.ones_like(y))

        print(f"{name:62} {forward:9.2f} {median(both):9.2f}")


main()
