"""PyTorch's, OpenCV's and Pillow's times for what benches/upsample.rs measures. Pins: torch 2.6, opencv 4.11, Pillow 11.3 or later.
Argument: threads."""

import statistics
import sys
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
torch.set_num_threads(threads)
cv2.setNumThreads(threads)
SIZE, OUTPUT = (128, 256), (1024, 2048)


def noise(index):
    value = (index.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return (value >> np.uint64(40)).astype(np.float32) / 16777216


def logits(classes, patch):
    height, width = SIZE
    index = np.arange(classes * height * width)
    x, y, label = index % width, index // width % height, index // width // height
    winner = (noise(10_000_000 + y // 12 * width + x // 12) * classes).astype(int)
    values = noise(index) + patch * (label == winner)
    return torch.from_numpy(values.astype(np.float32).reshape(1, classes, height, width))


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
    for classes in (19, 150):
        for name, patch in (("patches", 6.0), ("noise", 0.0)):
            x = logits(classes, patch)
            measure(f"{classes}x128x256 to 1024x2048, {name}", lambda: upsample(x, OUTPUT))
    patches = logits(19, 6.0)
    measure("19x128x256 to 512x1024 to 1024x2048, patches", lambda: upsample(patches, (512, 1024)))
image = np.random.default_rng(0).integers(0, 256, (1024, 2048, 3), np.uint8)
pillow = Image.fromarray(image)
planes = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous()
for size in (1433, 717), (3584, 1792), (1024, 512):
    measure(f"cv2.resize to {size}", lambda: cv2.resize(image, size, interpolation=cv2.INTER_LINEAR))
    measure(f"Pillow to {size}", lambda: pillow.resize(size, Image.BILINEAR))
    for corners in (False, True):
        resize = lambda: F.interpolate(planes.float(), size=size[::-1], mode="bilinear", align_corners=corners).round().to(torch.uint8)
        measure(f"PyTorch to {size}, align_corners={corners}", resize)
