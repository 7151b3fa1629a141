"""Times the maps of `cargo bench -p segbench-targets --bench distances` with OpenCV, edt and scipy, on one thread.

Needs opencv-python-headless 4.11, edt 3.1.2, scipy 1.17.1 and numpy 1.26.4; run it after the bench, which writes the label maps.
"""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

try:
    import edt
except ImportError:
    edt = None

cv2.setNumThreads(1)


def opencv(mask):
    far = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return far - cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def sdf(mask):
    return edt.edt(1 - mask, parallel=1) - edt.edt(mask, parallel=1)


def scipy(mask):
    return (distance_transform_edt(1 - mask) - distance_transform_edt(mask)).astype(np.float32)


for name in ("street", "voronoi"):
    labels = np.fromfile(Path(tempfile.gettempdir()) / f"segbench-{name}.bin", np.uint8).reshape(1024, 2048)
    classes = [c for c in range(19) if (labels == c).any()]
    for peer, compute in (("OpenCV", opencv), ("edt", sdf if edt else None), ("scipy", scipy)):
        if compute is None:
            print(f"{name}: {peer} is not installed")
            continue
        times = []
        for _ in range(1 if peer == "scipy" else 3):
            start = time.process_time()
            for c in classes:
                compute((labels == c).astype(np.uint8))
            times.append(time.process_time() - start)
        print(f"{name}: {len(classes)} classes, {peer} {1000 * sorted(times)[len(times) // 2]:.0f} ms")
