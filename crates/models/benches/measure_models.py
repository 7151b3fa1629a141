#!/usr/bin/env python3
"""Measures one preset of every network beside its reference in PyTorch, and writes models.csv, which docs/models.md shows.

    cargo build --release -p segbench-models --example measure
    python crates/models/benches/measure_models.py target/release/examples/measure [--checkouts DIR] [--size 512] [MODEL]...
    just generate

Each network runs here, there and here again, with one thread and with two, two passes each time; the shortest pass counts, and the
largest memory. About ten minutes on two quiet cores. A second kind of run counts
multiply-adds at 512x512 and 1024x2048, which are the same on every machine: `--macs`. Rows of networks that are not named stay. Without
the checkouts of make_vgg.py the networks from there have no peer.
"""
import argparse
import csv
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "models.csv"
COLUMNS = ["model", "gmacs_512x512", "gmacs_1024x2048", "size"]
COLUMNS += [f"{who}{what}" for what in ("ms_1", "ms_2", "mib") for who in ("", "peer_")]
MODELS = """apcnet-r50-d8 bisenet-r18-d32 bisenetv2-base deeplabv1-largefov deeplabv2-r101 deeplabv3-r50-d8 deeplabv3plus-r50-d8
dmnet-r50-d8 encnet-r50-d8 fcn-r50-d8 fcn-hr18 fcn8s-vgg16 fpn-r50 ocrnet-hr18 pointrend-r50 psanet-r50-d8 pspnet-r50-d8 segformer-b0
segformer-b2 segnet-vgg16 unet-s5-d16 upernet-r50""".split()
# What the program sets for itself (crates/cli/src/tuning.rs).
SETTINGS = {
    "CANDLE_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "67108864",
}


def numbers(command, threads, settings):
    """The numbers that a process prints, or none if it fails."""
    environment = os.environ | settings | {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        print("  ", " ".join(command), done.stderr.strip().splitlines()[-1:], file=sys.stderr)
        return None
    return [float(number) for number in done.stdout.split()]


def measure(model, options):
    size, row = str(options.size), {"size": f"{options.size}x{options.size}"}
    ours = [options.program, model, size, size, "2"]
    shortest = {}

    def keep(column, value):
        shortest[column] = min(shortest.get(column, value), value)

    def run_ours():
        for threads in (1, 2):
            found = numbers(ours, threads, SETTINGS)
            if found:
                keep(f"ms_{threads}", found[0])
                row["mib"] = max(row.get("mib", 0.0), found[1])

    run_ours()
    # It imports for seconds, so one process does both numbers of threads.
    peer = numbers([sys.executable, str(HERE / "peer_models.py"), model, size, size, "2", options.checkouts], 2, {})
    if peer:
        row |= dict(zip(("peer_ms_1", "peer_ms_2", "peer_mib"), peer))
    run_ours()
    row |= shortest
    return {name: value if isinstance(value, str) else f"{value:.0f}" for name, value in row.items()}


def count(model, options):
    row = {}
    for height, width in ((512, 512), (1024, 2048)):
        found = numbers([options.program, model, str(height), str(width), "1"], 2, SETTINGS)
        if found:
            row[f"gmacs_{height}x{width}"] = f"{found[2] / 1e9:.2f}"
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--checkouts", default="")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--macs", action="store_true")
    parser.add_argument("models", nargs="*")
    options = parser.parse_intermixed_args()
    rows = {}
    if TABLE.exists():
        with TABLE.open(newline="") as file:
            rows = {row["model"]: row for row in csv.DictReader(file)}
    for model in options.models or MODELS:
        found = (count if options.macs else measure)(model, options)
        print(model, found, flush=True)
        rows[model] = {column: "" for column in COLUMNS} | rows.get(model, {}) | found | {"model": model}
        with TABLE.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[name] for name in sorted(rows))


if __name__ == "__main__":
    main()
