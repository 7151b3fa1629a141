"""Writes published.csv: what mmsegmentation's model zoo says of its checkpoints, and how it evaluated each of them.

    pip install mmsegmentation==1.2.2 mmengine==0.10.7 pyyaml==6.0.3      # mmcv need not be installed
    python published.py > published.csv

Scores come from the `metafile.yaml` files of the package, data set and protocol from the configuration that a metafile names,
with its bases merged: `model.test_cfg` says whole or slide, and the window with its stride; the test pipeline has to be the usual one
(load, resize with kept ratio, pack), otherwise the protocol is called `other`. Metafiles themselves name a backbone where the data
set should be in twelve rows, which is why they are not asked for it; a configuration whose name they misspell is the one of the nearest name in its folder.
"""

import csv
import difflib
import importlib.util
import pathlib
import sys

import yaml
from mmengine import Config

ROOT = pathlib.Path(importlib.util.find_spec("mmseg").origin).parent / ".mim"

# Class of the data set in the configuration: name here. What is not listed publishes Dice (vessels) or has no converter's name.
DATASETS = {
    "ADE20KDataset": "ade20k",
    "CityscapesDataset": "cityscapes",
    "COCOStuffDataset": "coco-stuff164k",
    "LoveDADataset": "loveda",
    "ISPRSDataset": "vaihingen",
    "MapillaryDataset_v1": "mapillary",
    "PascalContextDataset": "pascal-context",
    "PascalContextDataset59": "pascal-context-59",
    "PascalVOCDataset": "voc2012",
    "PotsdamDataset": "potsdam",
    "iSAIDDataset": "isaid",
    "NYUDataset": "nyu",
}
USUAL = ["LoadImageFromFile", "Resize", "LoadAnnotations", "PackSegInputs"]


def evaluation(path):
    """Data set, split, protocol, window and stride of a configuration."""
    path = pathlib.Path(path)
    if not (ROOT / path).exists():
        known = [other.name for other in (ROOT / path).parent.glob("*.py")]
        path = path.with_name(difflib.get_close_matches(path.name, known, n=1, cutoff=0.8)[0])
    config = Config.fromfile(ROOT / path, import_custom_modules=False)
    data = config.test_dataloader.dataset
    name = DATASETS.get(data.type)
    if name == "coco-stuff164k" and "10k" in data.data_root:
        name = "coco-stuff10k"
    prefix = data.data_prefix.img_path
    split = "val" if "val" in prefix or data.type.startswith(("Pascal", "COCO")) or "val" in data.get("ann_file", "") else "test"
    steps = [step.type for step in data.pipeline if not step.type.startswith("LoadAnn") or step.type == "LoadAnnotations"]
    resize = [step for step in data.pipeline if step.type == "Resize"]
    usual = steps == USUAL and resize[0].get("keep_ratio")
    rule = config.model.test_cfg
    if not usual or rule.mode not in ("whole", "slide"):
        print(path, steps, resize, rule, file=sys.stderr)
        return name, split, "other", "", ""
    size = lambda pair: "x".join(str(side) for side in pair) if rule.mode == "slide" else ""
    return name, split, f"mmseg-{rule.mode}@1", size(rule.get("crop_size", ())), size(rule.get("stride", ()))


def main():
    rows = []
    for metafile in sorted(ROOT.glob("configs/*/metafile.y*ml")):
        for model in yaml.safe_load(metafile.read_text(encoding="utf-8")).get("Models", []):
            scores = model["Results"]["Metrics"] if isinstance(model["Results"], dict) else model["Results"][0]["Metrics"]
            if "mIoU" not in scores or not model.get("Weights"):
                continue
            stem = model["Weights"].rsplit("/", 1)[1].removesuffix(".pth")
            rows.append([stem, *evaluation(model["Config"]), scores["mIoU"], scores.get("mIoU(ms+flip)", "")])
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow("weights,dataset,split,protocol,window,stride,miou,miou_tta".split(","))
    out.writerows(sorted(rows))


if __name__ == "__main__":
    main()
