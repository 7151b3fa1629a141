"""PyTorch's and OpenCV's times for what benches/upsample.rs measures. Pins: torch 2.6, opencv 4.11. Argument: threads."""

import statistics
import sys
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
torch.set_num_threads(threads)
cv2.setNumThreads(threads)
CLASSES, SIZE, OUTPUT = 19, (128, 256), (1024, 2048)


def noise(index):
    value = (index.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return (value >> np.uint64(40)).astype(np.float32) / 16777216


def logits(patch):
    height, width = SIZE
    index = np.arange(CLASSES * height * width)
    x, y, label = index % width, index // width % height, index // width // height
    winner = (noise(10_000_000 + y // 12 * width + x // 12) * CLASSES).astype(int)
    values = noise(index) + patch * (label == winner)
    return torch.from_numpy(values.astype(np.float32).reshape(1, CLASSES, height, width))


def measure(name, work, repeats=7):
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    print(f"{name}: median {statistics.median(times):.2f} ms, least {min(times):.2f} ms")


def upsample(x, middle):
    x = F.interpolate(x, size=middle, mode="bilinear", align_corners=False)
    if middle != OUTPUT:
        x = F.interpolate(x, size=OUTPUT, mode="bilinear", align_corners=False)
    return x.argmax(1)


with torch.inference_mode():
    patches, plain = logits(6.0), logits(0.0)
    measure("19x128x256 to 1024x2048, patches", lambda: upsample(patches, OUTPUT))
    measure("19x128x256 to 1024x2048, noise", lambda: upsample(plain, OUTPUT))
    measure("19x128x256 to 512x1024 to 1024x2048, patches", lambda: upsample(patches, (512, 1024)))
image = np.random.default_rng(0).integers(0, 256, (1024, 2048, 3), np.uint8)
measure("cv2.resize 2048x1024 to 1433x717", lambda: cv2.resize(image, (1433, 717), interpolation=cv2.INTER_LINEAR))
