"""The mIoU of a run, counted anew from its predicted PNGs with Pillow and NumPy alone, to compare with the leaderboard.

Run: python independent_miou.py LABELS PREDICTIONS CLASSES      (Pillow 13.0.0, NumPy 1.26.4)
Prints percent with two decimals, as the leaderboard does. LABELS and PREDICTIONS are folders of label PNGs with equal names.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

labels, predictions, classes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
matrix = np.zeros((classes, classes + 1), dtype=np.int64)
files = sorted(labels.glob("*.png"))
for file in files:
    truth = np.asarray(Image.open(file)).astype(np.int64)
    predicted = np.asarray(Image.open(predictions / file.name)).astype(np.int64)
    assert truth.shape == predicted.shape, file.name
    kept = truth != 255
    predicted = np.minimum(predicted, classes)
    pairs = truth[kept] * (classes + 1) + predicted[kept]
    matrix += np.bincount(pairs, minlength=matrix.size).reshape(matrix.shape)

correct = np.diag(matrix)
union = matrix.sum(axis=1) + matrix[:, :classes].sum(axis=0) - correct
iou = correct[union > 0] / union[union > 0]
print(f"{len(files)} images, mIoU {100 * iou.mean():.2f}, pixel accuracy {100 * correct.sum() / matrix.sum():.2f}")
