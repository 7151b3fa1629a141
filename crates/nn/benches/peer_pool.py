"""PyTorch's times for the shapes of pool.rs, in milliseconds: python peer_pool.py THREADS

Medians of ten runs after two; "both" is the way forward and back, with a gradient of ones. Run with torch 2.6.0.
"""

import statistics
import sys
import time

import torch
import torch.nn.functional as F


def grid(x):
    axis = torch.arange(64.0) / 32 - 0.97
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    return F.grid_sample(x, points.expand(2, 64, 64, 2), align_corners=False)


CASES = [
    ("max 3x3 s2 p1, 64, 2x256x256", (2, 64, 256, 256), lambda x: F.max_pool2d(x, 3, 2, 1)),
    ("max 3x3 s2, 64, 2x256x256", (2, 64, 256, 256), lambda x: F.max_pool2d(x, 3, 2)),
    ("max 2x2 s2, 64, 2x256x256", (2, 64, 256, 256), lambda x: F.max_pool2d(x, 2)),
    ("avg 2x2 s2, 64, 2x256x256", (2, 64, 256, 256), lambda x: F.avg_pool2d(x, 2)),
    ("avg 3x3 s2, 64, 2x256x256", (2, 64, 256, 256), lambda x: F.avg_pool2d(x, 3, 2)),
    ("adaptive avg 6x6, 512, 2x64x128", (2, 512, 64, 128), lambda x: F.adaptive_avg_pool2d(x, 6)),
    ("adaptive avg 1x1, 512, 2x64x128", (2, 512, 64, 128), lambda x: F.adaptive_avg_pool2d(x, 1)),
    ("adaptive max 6x6, 512, 2x64x128", (2, 512, 64, 128), lambda x: F.adaptive_max_pool2d(x, 6)),
    ("bilinear x4, 19, 2x128x128", (2, 19, 128, 128), lambda x: F.interpolate(x, (512, 512), mode="bilinear")),
    ("bilinear x8, 256, 2x16x16", (2, 256, 16, 16), lambda x: F.interpolate(x, (128, 128), mode="bilinear")),
    (
        "bilinear 97x97 to 769x769, 19, corners",
        (1, 19, 97, 97),
        lambda x: F.interpolate(x, (769, 769), mode="bilinear", align_corners=True),
    ),
    ("nearest x2, 128, 2x64x64", (2, 128, 64, 64), lambda x: F.interpolate(x, (128, 128))),
    ("bicubic x4, 19, 2x128x128", (2, 19, 128, 128), lambda x: F.interpolate(x, (512, 512), mode="bicubic")),
    ("grid bilinear 64x64, 64, 2x128x128", (2, 64, 128, 128), grid),
]


def median_ms(function):
    times = []
    for _ in range(12):
        start = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[2:])


def main():
    torch.set_num_threads(int(sys.argv[1]))
    for name, shape, function in CASES:
        x = torch.rand(shape) * 2 - 1
        with torch.no_grad():
            forward = median_ms(lambda: function(x))
        x.requires_grad_()
        gradient = torch.ones_like(function(x))

        def both():
            x.grad = None
            function(x).backward(gradient)

        print(f"{name}: forward {forward:.2f}, both {median_ms(both):.2f}")


main()
