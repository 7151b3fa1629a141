"""Measures PyTorch on the losses of losses.rs, which starts this script and asks for one loss after the other.

Needs torch 2.6.0, scipy 1.17.1, numpy 1.26.4 and safetensors 0.8.0; by hand: `echo dice | python peer_losses.py THREADS`. An answer has the
milliseconds of a forward pass without a graph, those of forward and backward, and the MiB that the latter takes at most.

The losses are those of `tests/fixtures/losses.py` in f32. Distances are computed by scipy in every step, as training on augmented crops has
to.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/fixtures"))
import losses  # noqa: E402


def memory(name):
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def reset():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(3)
fields = torch.nn.functional.interpolate(torch.rand(2, 19, 9, 17), (512, 1024), mode="bilinear", align_corners=True)
labels = fields.argmax(1)
logits = 4 * torch.rand(2, 19, 512, 1024) + 6.0 * torch.nn.functional.one_hot(labels, 19).movedim(-1, 1)
del fields
weights = torch.ones(19)
print("ready", flush=True)
for line in sys.stdin:
    function = losses.REPAIRED[line.strip()][0]
    start = time.perf_counter()
    with torch.no_grad():
        function(logits, labels, weights)
    forward = time.perf_counter() - start
    x = logits.detach().requires_grad_()
    reset()
    before = memory("VmRSS")
    start = time.perf_counter()
    function(x, labels, weights).backward()
    both = time.perf_counter() - start
    print(1000 * forward, 1000 * both, memory("VmHWM") - before, flush=True)
    del x
