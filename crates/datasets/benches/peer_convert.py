"""Times what benches/convert.rs times, with Pillow and NumPy and with OpenCV, on one thread.

    cargo bench --profile dev -p segbench-datasets --bench convert     # writes target/peer_labels.png
    python crates/datasets/benches/peer_convert.py target/peer_labels.png

Work: PNG bytes in memory -> label ids -> train ids by a table of 256 entries -> pixels per class -> PNG bytes. Pillow writes a palette
PNG; OpenCV cannot and writes a grey one. Both use their default compression.
Measured with Python 3.11, Pillow 13.0.0, NumPy 1.26.4, OpenCV 4.11.0.
"""

import io
import statistics
import sys
import time

import cv2
import numpy as np
from PIL import Image

EVALUATED = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
ROUNDS = 21


def table():
    train_ids = np.full(256, 255, np.uint8)
    for train_id, label_id in enumerate(EVALUATED):
        train_ids[label_id] = train_id
    return train_ids


def with_pillow(data, train_ids, palette):
    raw = np.asarray(Image.open(io.BytesIO(data)))
    labels = train_ids[raw]
    counts = np.bincount(labels.ravel(), minlength=256)
    image = Image.fromarray(labels, mode="P")
    image.putpalette(palette)
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue(), counts


def with_opencv(data, train_ids, _palette):
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    labels = cv2.LUT(raw, train_ids)
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256])
    _, out = cv2.imencode(".png", labels)
    return out.tobytes(), counts.ravel().astype(np.int64)


def main():
    cv2.setNumThreads(1)
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    palette = [channel for index in range(256) for channel in (index, 255 - index, index ^ 90)]
    results = {}
    for name, convert in (("Pillow and NumPy", with_pillow), ("OpenCV", with_opencv)):
        convert(data, table(), palette)
        wall, cpu = [], []
        for _ in range(ROUNDS):
            start, start_cpu = time.perf_counter(), time.process_time()
            encoded, counts = convert(data, table(), palette)
            wall.append(time.perf_counter() - start)
            cpu.append(time.process_time() - start_cpu)
        results[name] = counts
        wall_ms, cpu_ms = statistics.median(wall) * 1e3, statistics.median(cpu) * 1e3
        print(f"{name}: {wall_ms:.2f} ms wall, {cpu_ms:.2f} ms CPU, {len(encoded)} bytes")
    assert (results["OpenCV"] == results["Pillow and NumPy"]).all()


if __name__ == "__main__":
    main()
