"""`masquerade evaluate ORIGINALS ANONYMISED`: how well a run did, face by face and as a whole."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from masquerade.errors import MasqueradeError
from masquerade.evaluation import attacks
from masquerade.evaluation.measuring import Instruments, Measurement, Vectors, measure, read_run_report
from masquerade.evaluation.photos import identities_in, photos_in
from masquerade.evaluation.report import as_text, write_page
from masquerade.evaluation.summary import as_record, summarise
from masquerade.evaluation.thresholds import Thresholds, from_lfw, parsed

THRESHOLDS = "thresholds.json"


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 0, or 2 when the input was at fault."""
    args = _parser().parse_args(argv)
    try:
        _evaluate(args)
    except (MasqueradeError, OSError) as error:
        print(f"masquerade: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="masquerade evaluate", description="Compares two folders of photos with the same names, before and after.")
    parser.add_argument("originals", type=Path)
    parser.add_argument("anonymised", type=Path)
    parser.add_argument("--report", type=Path, metavar="HTML", help="write a page with the figures and the worst cases")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every face and of the whole")
    parser.add_argument("--run-report", type=Path, metavar="JSON", help="the run's report.json, for the share of obscured faces")
    parser.add_argument(
        "--thresholds", metavar="SFACE,DLIB", help="when two faces count as one person: a cosine and a distance (default: those of LFW)"
    )
    parser.add_argument("--lfw", type=Path, metavar="TAR", help=f"measure the thresholds again on LFW; kept in {THRESHOLDS} beside ANONYMISED")
    parser.add_argument("--largest", action="store_true", help="only the largest face of each photo")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N photos")
    parser.add_argument("--attack", choices=["parrot"], help="also attack: a recogniser learns from half of each person's anonymised photos")
    parser.add_argument("--memory", type=Path, metavar="FOLDER", help="also look for the people of this training folder among the new faces")
    parser.add_argument(
        "--memory-limit", type=int, metavar="N", default=4000, help="how many training photos to look at, spread evenly (default: 4000)"
    )
    return parser


def _evaluate(args: argparse.Namespace) -> None:
    photos = photos_in(args.originals)[: args.limit]
    run_report = read_run_report(args.run_report) if args.run_report else []
    instruments = Instruments.real()
    limits = _thresholds(args, instruments)
    shown = track(photos, "photos", console=Console(stderr=True), transient=True)
    measured = measure(args.originals, args.anonymised, shown, instruments, run_report, args.largest)
    summary = summarise(measured, limits, with_obscured=bool(args.run_report))
    more = _attacked(args, measured, instruments)
    print(as_text(summary, more))
    if args.json:
        args.json.write_text(json.dumps({"summary": summary, "attacks": more, "faces": [as_record(f) for f in measured.faces]}, indent=1) + "\n")
    if args.report:
        write_page(args.report, summary, more, measured, args.originals, args.anonymised)


def _thresholds(args: argparse.Namespace, instruments: Instruments) -> Thresholds:
    if args.thresholds:
        return parsed(args.thresholds)
    if args.lfw:
        return from_lfw(args.lfw, instruments.faces, instruments.embed, args.anonymised.parent / THRESHOLDS)
    return Thresholds()


def _attacked(args: argparse.Namespace, measured: Measurement, instruments: Instruments) -> dict[str, dict[str, Any]]:
    """The attacks that were asked for: figures by title."""
    found: dict[str, dict[str, Any]] = {}
    if args.attack == "parrot":
        identities = identities_in(args.originals)
        faces = {path: vectors for path, vectors in _largest(measured).items() if path in identities}
        people = [identities[path] for path in faces]
        for name, before, after in _both(list(faces.values())):
            found[f"A recogniser that learned from anonymised photos, {name}"] = asdict(attacks.parrot(people, before, after))
    if args.memory:
        training = attacks.training_faces(args.memory, instruments.faces, instruments.embed, args.memory_limit)
        known: dict[str, attacks.Vectors] = {"SFace": np.stack([e.sface for e in training]), "dlib": np.stack([e.dlib for e in training])}
        for name, before, after in _both([v for _, v in measured.large]):
            found[f"Nearness to the people of the training, {name}"] = asdict(attacks.memory(known[name], before, after))
    return found


def _largest(measured: Measurement) -> dict[Path, Vectors]:
    """The vectors of each photo's largest face."""
    faces = sorted((f for f in measured.faces if f.vectors), key=lambda f: (f.photo, f.box[2] - f.box[0]))
    return {Path(f.photo): f.vectors for f in faces if f.vectors}


def _both(vectors: Sequence[Vectors]) -> list[tuple[str, attacks.Vectors, attacks.Vectors]]:
    """Name of the recogniser, embeddings before and after."""
    if not vectors:
        raise MasqueradeError("No photo's person is known; name the photos <person>_<number>.jpg or use a folder for each person.")
    return [
        ("SFace", np.stack([v.before.sface for v in vectors]), np.stack([v.after.sface for v in vectors])),
        ("dlib", np.stack([v.before.dlib for v in vectors]), np.stack([v.after.dlib for v in vectors])),
    ]


if __name__ == "__main__":
    sys.exit(main())
