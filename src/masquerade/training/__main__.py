"""`masquerade train TASK`: prepares data and trains the networks, one task each."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

from masquerade.errors import MasqueradeError

NETWORKS = (
    "segmentation",
    "landmarks",
    "identity",
    "shape",
    "anonymization",
    "harmonization",
    "temporal",
    "superresolution",
    "surroundings",
    "belonging",
)
TASKS = ("prepare", "prepare-clips", *NETWORKS)


def main(argv: list[str]) -> int:
    """Entry of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="masquerade train", description="Trains the networks of masquerade; every run resumes where it stopped.")
    tasks = parser.add_subparsers(dest="task", required=True)
    prepare = tasks.add_parser("prepare", help="find, crop, parse and measure training photos once")
    prepare.add_argument("--data", type=Path, nargs="+", default=[], help="tars or folders of photos of real people")
    prepare.add_argument("--made-up", type=Path, nargs="+", default=[], help="tars or folders of photos of people who do not exist")
    prepare.add_argument("--side", type=int, default=128, choices=(128, 512), help="512 keeps only photos of so much detail, for superresolution")
    prepare.add_argument("--exclude", type=Path, help="text file: photos whose file name starts with one of its lines are left out")
    prepare.add_argument("--out", type=Path, required=True)
    clips = tasks.add_parser("prepare-clips", help="follow, crop, parse and measure the faces of training clips once")
    clips.add_argument("--clips", type=Path, required=True, help="folder of mp4 files")
    clips.add_argument("--out", type=Path, required=True)
    for name in NETWORKS:
        task = tasks.add_parser(name)
        task.add_argument("--data", type=Path, required=True, help="prepared folder")
        task.add_argument("--out", type=Path, required=True, help="folder of the run; goes on where a run in it stopped")
        task.add_argument("--preset", choices=("cpu", "gpu", "paper"), default="cpu")
        task.add_argument("--pictures", type=int, help="how many pictures to train on, instead of the preset's number")
        task.add_argument("--minutes", type=float, help="how long to train at most")
        task.add_argument("--batch", type=int)
        task.add_argument("--seed", type=int, default=0)
        task.add_argument("--start", type=Path, help="checkpoint of another run to begin from")
        if name in ("anonymization", "harmonization"):
            task.add_argument("--side", type=int, default=128, choices=(64, 128), help="train at this size; 64 is four times as fast")
        if name == "segmentation":
            task.add_argument("--photos", type=Path, help="prepared folder of other photos: the run of --start says what is where in them")
        if name == "anonymization":
            task.add_argument("--guide", type=Path, help="checkpoint of the IdentityNet run that watches over likeness")
            task.add_argument("--beside", type=Path, help="folder of all networks' checkpoints: with --start and --guide strangers are drawn too")
        if name == "temporal":
            task.add_argument("--clips", type=Path, required=True, help="folder of clips that prepare-clips wrote")
        if name in ("harmonization", "temporal", "superresolution"):
            task.add_argument(
                "--rough", type=Path, required=name == "temporal", help="checkpoint of the AnonymizationNet run whose faces are to be mended"
            )
        if name in ("harmonization", "temporal"):
            task.add_argument("--shape", type=Path, help="checkpoint of the ShapeVAE run that draws strangers' maps")
        if name == "superresolution":
            task.add_argument("--harmonization", type=Path, help="checkpoint of the HarmonizationNet run that mends those faces")
    args = parser.parse_args(argv)
    if args.task == "prepare":
        return _prepare(args)
    if args.task == "prepare-clips":
        from masquerade.training.clips import prepare_clips

        print(f"{prepare_clips(args.clips, args.out)} frames")
        return 0
    return _train(args)


def _prepare(args: argparse.Namespace) -> int:
    from masquerade.training.mesh import label
    from masquerade.training.prepare import crop_photos, parse_crops, photos_of

    exclude = frozenset(args.exclude.read_text().split()) if args.exclude else frozenset()
    if not (args.out / "crops.npy").exists():
        photos = [p for s in args.data for p in photos_of(s, False, exclude)] + [p for s in args.made_up for p in photos_of(s, True, exclude)]
        if not photos:
            raise MasqueradeError("There are no photos to prepare: name tars or folders with --data or --made-up.")
        print(f"{crop_photos(photos, args.out, os.cpu_count() or 1, args.side)} faces in {len(photos)} photos")
    if not (args.out / "parsing.npy").exists():
        parse_crops(args.out, os.cpu_count() or 1)
    if not (args.out / "pose.npy").exists():
        label(args.out)
    return 0


def _train(args: argparse.Namespace) -> int:
    import importlib

    module: Any = importlib.import_module(f"masquerade.training.{args.task}")
    preset = module.PRESETS[args.preset]
    budget = dataclasses.replace(preset.budget, pictures=args.pictures or preset.budget.pictures, batch=args.batch or preset.budget.batch)
    if args.minutes:
        budget = dataclasses.replace(budget, seconds=60 * args.minutes)
    named = ("side", "start", "rough", "shape", "harmonization", "guide", "beside", "clips", "photos")
    further = {k: getattr(args, k) for k in named if hasattr(args, k)}
    module.train(args.data, args.out, dataclasses.replace(preset, budget=budget), seed=args.seed, **further)
    return 0
