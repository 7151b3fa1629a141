"""Times all signed distance maps of a label map with segbench, OpenCV and edt in turn, on one thread, in CPU time.

    cargo bench -p segbench-targets --bench distances --no-run
    python peer_distances.py target/release/deps/distances-... [path/to/CamVid]

Maps have 1024 x 2048 pixels: three of CamVid enlarged without new values (with the path), a Voronoi diagram of 400 points in 19
classes, and one of 4000. Needs opencv-python-headless 4.11, edt 3.1.2 and numpy 1.26.4.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import edt
import numpy as np

HEIGHT, WIDTH, CLASSES, ROUNDS = 1024, 2048, 19, 3
cv2.setNumThreads(1)


def camvid(folder):
    for file in sorted(Path(folder, "trainannot").glob("*.png"))[::150]:
        labels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        yield f"camvid {file.stem}", cv2.resize(labels, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)


def voronoi(points):
    rng = np.random.default_rng(points)
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    nearest = np.full((HEIGHT, WIDTH), np.inf, np.float32)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    for index, (y, x) in enumerate(zip(rng.integers(0, HEIGHT, points), rng.integers(0, WIDTH, points))):
        reach = 200 if points > 1000 else HEIGHT
        part = np.s_[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach]
        square = (rows[part] - y) ** 2 + (columns[part] - x) ** 2
        closer = square < nearest[part]
        nearest[part][closer] = square[closer]
        labels[part][closer] = index % CLASSES
    return labels


def opencv(mask):
    far = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return far - cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def sdf(mask):
    return edt.edt(1 - mask, parallel=1) - edt.edt(mask, parallel=1)


def peer_ms(compute, labels):
    start = time.process_time()
    for label in np.unique(labels[labels < CLASSES]):
        compute((labels == label).view(np.uint8))
    return 1000 * (time.process_time() - start)


def main(binary, folder=None):
    maps = dict(camvid(folder)) if folder else {}
    maps |= {f"voronoi {points}": voronoi(points) for points in (400, 4000)}
    with tempfile.TemporaryDirectory() as place:
        for name, labels in maps.items():
            file = Path(place, "map.bin")
            labels.tofile(file)
            times = {key: [] for key in ("best", "avx2", "baseline", "OpenCV", "edt")}
            for _ in range(ROUNDS):
                printed = subprocess.run([binary, "5", file], check=True, capture_output=True, text=True).stdout
                ours = json.loads(printed)
                for key in ("best", "avx2", "baseline"):
                    times[key].append(ours[key])
                times["OpenCV"].append(peer_ms(opencv, labels))
                times["edt"].append(peer_ms(sdf, labels))
            ms = {key: sorted(values)[len(values) // 2] for key, values in times.items()}
            print(f"{name}, {len(np.unique(labels[labels < CLASSES]))} classes: " + ", ".join(f"{key} {value:.1f} ms" for key, value in ms.items()))
            for key in ("best", "avx2", "baseline"):
                print(f"  {key}: {ms['OpenCV'] / ms[key]:.1f}x OpenCV, {ms['edt'] / ms[key]:.1f}x edt", flush=True)


main(*sys.argv[1:])
