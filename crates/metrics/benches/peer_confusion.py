"""Times of Python peers on the maps of `confusion.rs`, one thread, milliseconds per image (median of 15).

Run: python benches/peer_confusion.py        (NumPy 1.26.4; cityscapesScripts 2.3.0 with its Cython part, if it is installed)
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import statistics
import time

import numpy as np

WIDTH, HEIGHT = 2048, 1024


class Lehmer:
    def __init__(self, state):
        self.state = state

    def below(self, bound):
        self.state = self.state * 48_271 % 2_147_483_647
        return self.state % bound


def street(classes):
    random = Lehmer(1)
    truth = np.repeat((np.arange(HEIGHT) * 5 // HEIGHT).astype(np.uint8)[:, None], WIDTH, axis=1)
    for _ in range(120):
        x, y = random.below(WIDTH), random.below(HEIGHT)
        width, height = 4 + random.below(120), 4 + random.below(200)
        label = 255 if random.below(9) == 0 else random.below(classes)
        truth[y : y + height, x : x + width] = label
    flat = truth.ravel()
    source = np.maximum(np.arange(flat.size) - (2 + 3 * WIDTH), 0)
    return truth, (flat[source] % classes).astype(np.uint8).reshape(truth.shape)


def random_maps(classes):
    random = Lehmer(2)
    truth, predicted = (
        np.array([random.below(classes) for _ in range(WIDTH * HEIGHT)], np.uint8).reshape(HEIGHT, WIDTH) for _ in range(2)
    )
    return truth, predicted


def bincount(truth, predicted, classes):
    valid = truth < classes
    cells = classes * truth[valid].astype(np.int64) + predicted[valid]
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def median_ms(work):
    work()
    times = []
    for _ in range(15):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


try:
    from cityscapesscripts.evaluation import addToConfusionMatrix
except ImportError:
    addToConfusionMatrix = None

for name, classes, (truth, predicted) in [
    ("street, 19 classes", 19, street(19)),
    ("street, 150 classes", 150, street(150)),
    ("random, 19 classes", 19, random_maps(19)),
    ("random, 150 classes", 150, random_maps(150)),
]:
    borders = int(((np.diff(truth.astype(int)) != 0) | (np.diff(predicted.astype(int)) != 0)).sum())
    print(f"{name} ({borders / HEIGHT:.0f} borders per row): numpy bincount {median_ms(lambda: bincount(truth, predicted, classes)):.2f} ms")
    if addToConfusionMatrix is not None:
        labels = list(range(256))
        matrix = np.zeros((256, 256), np.uint64)
        cython = lambda: addToConfusionMatrix.cEvaluatePair(predicted, truth, matrix, labels)
        print(f"{name}: cityscapesScripts Cython {median_ms(cython):.2f} ms")
