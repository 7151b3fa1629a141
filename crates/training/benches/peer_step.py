"""Times one training step of SegFormer-B0 in PyTorch: python peer_step.py [THREADS] [STEPS]

The same step as `cargo run -p segbench-training --example train`: images of 2x3x256x512, 19 classes, logits resized to the labels,
cross entropy, AdamW. For a fair comparison set MALLOC_MMAP_THRESHOLD_=4294967296 and MALLOC_TRIM_THRESHOLD_=8589934592, as segbench
does for itself. Measured with torch 2.6.0 and transformers 4.57.6.
"""

import statistics
import sys
import time

import torch
import torch.nn.functional as F
from transformers import SegformerConfig, SegformerForSemanticSegmentation


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = SegformerForSemanticSegmentation(SegformerConfig(num_labels=19)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-5, weight_decay=0.01)
    images, labels = torch.randn(2, 3, 256, 512), torch.randint(0, 19, (2, 256, 512))
    forward, backward, update = [], [], []
    for _ in range(steps + 3):
        begin = time.perf_counter()
        logits = F.interpolate(model(images).logits, size=(256, 512), mode="bilinear", align_corners=False)
        loss = F.cross_entropy(logits, labels, ignore_index=255)
        middle = time.perf_counter()
        optimizer.zero_grad()
        loss.backward()
        end = time.perf_counter()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        forward.append(middle - begin)
        backward.append(end - middle)
        update.append(time.perf_counter() - end)
    middle = lambda times: 1e3 * statistics.median(times[3:])
    print(f"{threads} threads: forward {middle(forward):.1f} ms, backward {middle(backward):.1f} ms, AdamW {middle(update):.1f} ms")


main()
