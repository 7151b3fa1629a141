"""PyTorch's times at the shapes of conv.rs, forward alone and with gradients: milliseconds, median, on the wall.

    python peer_conv.py [--threads N] [--malloc default|retain] [--filter TEXT]

Ran with torch 2.6.0. `--malloc retain` makes glibc keep freed memory, as the segbench program does for itself; the settings are
read once at start, so the script starts itself anew with them.
"""

import argparse
import os
import statistics
import sys
import time

RETAIN = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "67108864",
}

# Name, shape of the input, shape of the weight, operation, (stride, padding, dilation, groups).
CASES = [
    ("3x3 64-64 128x256", (1, 64, 128, 256), (64, 64, 3, 3), "conv2d", (1, 1, 1, 1)),
    ("3x3 d2 64-64 128x256", (1, 64, 128, 256), (64, 64, 3, 3), "conv2d", (1, 2, 2, 1)),
    ("3x3 d12 256-256 64x64", (1, 256, 64, 64), (256, 256, 3, 3), "conv2d", (1, 12, 12, 1)),
    ("3x3 s2 64-128 128x256", (1, 64, 128, 256), (128, 64, 3, 3), "conv2d", (2, 1, 1, 1)),
    ("7x7 s2 3-64 512x512", (1, 3, 512, 512), (64, 3, 7, 7), "conv2d", (2, 3, 1, 1)),
    ("1x1 64-64 128x256", (1, 64, 128, 256), (64, 64, 1, 1), "conv2d", (1, 0, 1, 1)),
    ("1x1 256-64 128x256", (1, 256, 128, 256), (64, 256, 1, 1), "conv2d", (1, 0, 1, 1)),
    ("3x3 512-512 16x16", (1, 512, 16, 16), (512, 512, 3, 3), "conv2d", (1, 1, 1, 1)),
    ("3x3 g32 128-128 64x64", (1, 128, 64, 64), (128, 4, 3, 3), "conv2d", (1, 1, 1, 32)),
    ("depthwise 3x3 64 128x256", (1, 64, 128, 256), (64, 1, 3, 3), "conv2d", (1, 1, 1, 64)),
    ("depthwise 3x3 s2 64 128x256", (1, 64, 128, 256), (64, 1, 3, 3), "conv2d", (2, 1, 1, 64)),
    ("depthwise 3x3 d12 256 64x64", (1, 256, 64, 64), (256, 1, 3, 3), "conv2d", (1, 12, 12, 256)),
    ("transposed k2s2 128-64 64x64", (1, 128, 64, 64), (128, 64, 2, 2), "conv_transpose2d", (2, 0, 1, 1)),
    ("transposed k4s2p1 64-64 64x128", (1, 64, 64, 128), (64, 64, 4, 4), "conv_transpose2d", (2, 1, 1, 1)),
    ("transposed k16s8p4 depthwise 19 64x64", (1, 19, 64, 64), (19, 1, 16, 16), "conv_transpose2d", (8, 4, 1, 19)),
    ("volume k5p2 16-16 32x48x48", (1, 16, 32, 48, 48), (16, 16, 5, 5, 5), "conv3d", (1, 2, 1, 1)),
    ("volume k2s2 16-32 32x48x48", (1, 16, 32, 48, 48), (32, 16, 2, 2, 2), "conv3d", (2, 0, 1, 1)),
    ("volume transposed k2s2 32-16 16x24x24", (1, 32, 16, 24, 24), (32, 16, 2, 2, 2), "conv_transpose3d", (2, 0, 1, 1)),
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--malloc", choices=("default", "retain"), default="retain")
    parser.add_argument("--filter", default="")
    return parser.parse_args()


def median_ms(run, seconds=1.0):
    run()
    run()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main():
    args = arguments()
    if args.malloc == "retain" and "MALLOC_TOP_PAD_" not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | RETAIN)

    import torch
    import torch.nn.functional as F

    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads, malloc {args.malloc}: forward, both (ms)")
    for name, x, weight, operation, (stride, padding, dilation, groups) in CASES:
        if args.filter not in name:
            continue
        x, weight = torch.rand(x) * 2 - 1, torch.rand(weight) * 2 - 1
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        operator = getattr(F, operation)
        with torch.no_grad():
            forward = median_ms(lambda: operator(x, weight, **options))
        x.requires_grad_()
        weight.requires_grad_()

        def both():
            x.grad = weight.grad = None
            operator(x, weight, **options).sum().backward()

        print(f"{name:40} {forward:8.2f} {median_ms(both):8.2f}", flush=True)


main()
