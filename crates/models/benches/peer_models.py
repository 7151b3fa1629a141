#!/usr/bin/env python3
"""The same as examples/measure.rs, for the reference in PyTorch: `peer_models.py MODEL HEIGHT WIDTH PASSES [CHECKOUTS]`.

It prints the shortest times with one thread and with two, and the memory. CHECKOUTS is what make_vgg.py takes. Pins are those of the scripts that make the fixtures.
"""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures"))
model, height, width, passes = sys.argv[1], *map(int, sys.argv[2:5])
network, preset = model.split("-", 1)
# What make_vgg.py reads.
sys.argv[1:] = sys.argv[5:6]

import torch

torch.manual_seed(0)


def memory(line):
    return int(re.search(rf"{line}:\s*(\d+)", pathlib.Path("/proc/self/status").read_text())[1])


def reference():
    """A function that imports what the network needs, and one that builds and returns a pass."""
    if network == "segformer":
        import make_segformer

        return lambda: make_segformer.build_hf(preset, 19), lambda model, x: model(x).logits
    if network in {"fcn8s", "fcn16s", "fcn32s", "segnet", "deeplabv1", "deeplabv2"}:
        import make_vgg

        build, presets, *_ = make_vgg.NETWORKS[network]
        depths = presets[preset]
        return lambda: (make_vgg.deeplabv2(depths) if depths else build)(False).eval(), lambda model, x: model(x)
    import make_mmseg

    make_mmseg.import_mmseg()
    return lambda: make_mmseg.build(make_mmseg.sized(network, preset)), lambda model, x: make_mmseg.decode(model, x)[2]["head"]


build, run = reference()
before = memory("VmRSS")
with torch.inference_mode():
    built = build()
    image = torch.randn(1, 3, height, width)
    times = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        shortest = float("inf")
        for _ in range(passes):
            start = time.perf_counter()
            run(built, image)
            shortest = min(shortest, time.perf_counter() - start)
        times.append(f"{1e3 * shortest:.1f}")
print(*times, f"{(memory('VmHWM') - before) / 1024:.0f}")
