"""How steady clips become, with the network that knows the frame before and without it: both are run, measured, and laid side by side.

python -m masquerade.evaluation.clips CLIP... --out DIR [--seed N] [--thresholds SFACE,DLIB]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from masquerade.anonymizer import Anonymizer
from masquerade.errors import MasqueradeError
from masquerade.evaluation.clip_figures import Run, RunLog, compare
from masquerade.evaluation.clip_frames import Embed, FindFaces
from masquerade.evaluation.clip_table import markdown, row_of
from masquerade.evaluation.recognisers import Detector, Recogniser
from masquerade.evaluation.side_by_side import side_by_side
from masquerade.evaluation.thresholds import Thresholds, parsed
from masquerade.media.videos import probe
from masquerade.media.whole_files import whole_file
from masquerade.types import FaceReport
from masquerade.video import ClipResult, VideoOptions

VARIANTS = {"single": False, "temporal": True}
"""Name of a variant, and whether the network that knows the frame before draws in it."""

OnFaces = Callable[[Sequence[FaceReport]], None]


class VideoAnonymizer(Protocol):
    """What a run needs of an `Anonymizer`."""

    def video(self, source: Path, target: Path, options: VideoOptions, *, on_faces: OnFaces) -> ClipResult: ...


def evaluate(source: Path, out: Path, anonymizers: dict[str, VideoAnonymizer], faces: FindFaces, embed: Embed, limits: Thresholds) -> list[str]:
    """Anonymises a clip in every variant, measures it, writes the comparison.

    Args:
        source: the clip.
        out: the folder for what is written; earlier files of the same names are replaced.
        anonymizers: by name of the variant.
        faces: the detector that judges.
        embed: the recognisers that judge.
        limits: when two faces count as one person.

    Returns:
        Rows of the table, one a variant.

    Raises:
        MasqueradeError: the clip cannot be read, or nothing can be written.
    """
    clip = probe(source)
    runs = [_run(source, out / f"{source.stem}-{name}.mp4", name, anonymizer) for name, anonymizer in anonymizers.items()]
    with side_by_side(out / f"{source.stem}-comparison.mp4", clip, 1 + len(runs)) as write:
        figures = compare(source, runs, faces, embed, limits, write)
    return [row_of(source.stem, run, counted) for run, counted in zip(runs, figures, strict=True)]


def _run(source: Path, target: Path, name: str, anonymizer: VideoAnonymizer) -> Run:
    log, started = RunLog(), time.monotonic()
    anonymizer.video(source, target, VideoOptions(overwrite=True), on_faces=log)
    return Run(name, target, log, time.monotonic() - started)


def refuse_clashes(clips: Sequence[Path], out: Path) -> None:
    """Raises MasqueradeError where outputs would replace each other or a clip."""
    targets = [(out / f"{clip.stem}-{end}.mp4").resolve() for clip in clips for end in (*VARIANTS, "comparison")]
    if len(set(targets)) < len(targets):
        raise MasqueradeError("Two clips have the same name; measure them one after the other, into different folders.")
    if set(targets) & {clip.resolve() for clip in clips}:
        raise MasqueradeError(f"A clip would be replaced by an output in {out}; choose another folder.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; 0, or 2 when a clip failed: the others are measured all the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where clips, comparisons and clips.md are written")
    parser.add_argument("--seed", type=int, default=0, help="of the new faces (default: 0)")
    parser.add_argument("--thresholds", metavar="SFACE,DLIB", help="when two faces count as one person (default: those of LFW)")
    given = parser.parse_args(argv)
    try:
        return _evaluate_all(given)
    except (MasqueradeError, OSError) as error:
        print(f"masquerade: {error}", file=sys.stderr)
        return 2


def _evaluate_all(given: argparse.Namespace) -> int:
    refuse_clashes(given.clips, given.out)
    limits = parsed(given.thresholds) if given.thresholds else Thresholds()
    faces, embed = Detector(), Recogniser()
    anonymizers: dict[str, VideoAnonymizer] = {name: Anonymizer(seed=given.seed, temporal=temporal) for name, temporal in VARIANTS.items()}
    rows: list[str] = []
    code = 0
    for clip in given.clips:
        try:
            rows += evaluate(clip, given.out, anonymizers, faces, embed, limits)
        except (MasqueradeError, OSError) as error:
            print(f"masquerade: {error}", file=sys.stderr)
            code = 2
        else:
            # After every clip: a run of hours may be stopped.
            with whole_file(given.out / "clips.md", overwrite=True) as file:
                file.write(markdown(rows).encode())
    if rows:
        print(markdown(rows), end="")
    return code


if __name__ == "__main__":
    sys.exit(main())
