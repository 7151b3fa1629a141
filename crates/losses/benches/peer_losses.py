"""Times the losses of `cargo bench -p segbench-losses --bench losses` in PyTorch, as `tests/fixtures/losses.py` writes them, in f32.

Needs what that script needs; run `python peer_losses.py [threads] [losses...]`. Distances are computed in every step, as training on augmented
crops has to.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/fixtures"))
import losses  # noqa: E402

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
torch.manual_seed(3)
labels = torch.randint(0, 19, (2, 16, 32)).repeat_interleave(32, 1).repeat_interleave(32, 2)
lean = 2.0 * torch.nn.functional.one_hot(labels, 19).movedim(-1, 1)
logits = (4 * torch.rand(2, 19, 512, 1024) + lean).requires_grad_()
weights = torch.ones(19)
for name, (function, *_) in losses.REPAIRED.items():
    if sys.argv[2:] and name not in sys.argv[2:]:
        continue
    slow = name in ("distance-penalized-cross-entropy", "lovasz-softmax", "boundary", "hausdorff")
    forward, both = [], []
    for _ in range(1 if slow else 3):
        logits.grad = None
        start = time.perf_counter()
        loss = function(logits, labels, weights)
        forward.append(time.perf_counter() - start)
        loss.backward()
        both.append(time.perf_counter() - start)
    print(f"{name}: forward {1000 * min(forward):.0f} ms, forward and backward {1000 * min(both):.0f} ms", flush=True)
