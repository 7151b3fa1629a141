"""Times `segbench prepare` and what others make train ids with, in turns on one tree of generated streets.

    cargo build -p segbench-cli
    python crates/datasets/benches/peer_prepare.py --segbench target/debug/segbench --folder /tmp/streets --pairs 200

Draws `--pairs` street scenes of 2048x1024 in the layout of Cityscapes (kept in `--folder` for the next run), unpacks them, and runs
each program `--rounds` times in turns, each time on a tree without results:

* mmsegmentation's `tools/dataset_converters/cityscapes.py --nproc 2`, which redraws the outlines;
* cityscapesScripts' `csCreateTrainIdLabelImgs`, which does the same in one process;
* `segbench prepare cityscapes --in-place`, which writes the same files;
* `segbench prepare cityscapes`, which also checks, hashes and links the photos, copies instance ids and writes the manifest.

Printed are the best wall time, its processor time with that of child processes, the largest process, and label maps per second. At the
end the three sets of files are compared pixel by pixel.
Peers: mmsegmentation 1.2.2, cityscapesScripts 2.3.0, Pillow 13.0.0, Python 3.11.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import mmseg
import numpy as np
from PIL import Image


def draw(segbench, folder, pairs):
    tree = folder / f"tree-{pairs}"
    if (tree / "done").exists():
        return tree
    settings = {"size": "1024x2048", "train": pairs, "val": 0, "test": 0}
    changes = [part for key, value in settings.items() for part in ("--set", f"datasets.sample.draw.{key}={value}")]
    subprocess.run([segbench, "prepare", "sample", "--root", folder / "drawn", *changes], check=True)
    for archive in (folder / "drawn/raw/sample").glob("*.zip"):
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(tree)
    shutil.rmtree(folder / "drawn")
    # mmsegmentation's converter lists all three splits.
    for split in ("val", "test"):
        (tree / "gtFine" / split).mkdir(exist_ok=True)
    (tree / "done").touch()
    return tree


def clean(tree, folder):
    for file in tree.rglob("*_labelTrainIds.png"):
        file.unlink()
    shutil.rmtree(folder / "data", ignore_errors=True)


# A process counts what its parent held when it was made, so a small one stands between.
LAUNCHER = """
import os, subprocess, sys, time
start = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(status != 0)
"""


def run(command, environment):
    """Wall and processor seconds, and the kilobytes of the largest process."""
    launched = [sys.executable, "-c", LAUNCHER, *command]
    ended = subprocess.run(launched, env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed")
    return tuple(map(float, ended.stdout.split()))


def pixels(tree):
    return {file: np.asarray(Image.open(file)) for file in sorted(tree.rglob("*_labelTrainIds.png"))}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--segbench", type=pathlib.Path, required=True)
    arguments.add_argument("--folder", type=pathlib.Path, required=True)
    arguments.add_argument("--pairs", type=int, default=200)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments = arguments.parse_args()
    folder, segbench = arguments.folder.resolve(), arguments.segbench.resolve()
    tree = draw(segbench, folder, arguments.pairs)
    converter = pathlib.Path(mmseg.__file__).parent / ".mim/tools/dataset_converters/cityscapes.py"
    official = pathlib.Path(sys.executable).parent / "csCreateTrainIdLabelImgs"
    prepare = [segbench, "prepare", "cityscapes", "--source", tree, "--root", folder / "data", "--threads", "2"]
    programs = {
        "mmsegmentation --nproc 2": ([sys.executable, converter, tree, "--nproc", "2", "-o", folder / "lists"], {}),
        "csCreateTrainIdLabelImgs": ([official], {"CITYSCAPES_DATASET": str(tree)}),
        "segbench prepare --in-place": ([*prepare, "--in-place"], {}),
        "segbench prepare": (prepare, {}),
    }
    results, written = {name: [] for name in programs}, {}
    for round_number in range(arguments.rounds):
        for name, (command, environment) in programs.items():
            clean(tree, folder)
            results[name].append(run(command, environment))
            if round_number == 0 and name != "segbench prepare":
                written[name] = pixels(tree)
    clean(tree, folder)
    for name, runs in results.items():
        wall, cpu, memory = min(runs)
        rate = arguments.pairs / wall
        print(f"{name:28} {wall:8.2f} s wall {cpu:8.2f} s CPU {memory / 1024:8.0f} MiB {rate:8.1f} labels/s")
    first = next(iter(written.values()))
    for name, files in written.items():
        different = sum(int((files[file] != first[file]).sum()) for file in first)
        print(f"{name:28} {len(files)} files, {different} pixels other than mmsegmentation's")


if __name__ == "__main__":
    main()
