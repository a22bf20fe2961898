"""What a run was asked for, from the words of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from masquerade.media.photo_encoding import QUALITY
from masquerade.media.photos import MAX_PIXELS
from masquerade.version import __version__

if TYPE_CHECKING:
    from masquerade.anonymizer import Method
    from masquerade.generation.replacement import ShapeSource
    from masquerade.media.codecs import Codec


@dataclass(frozen=True)
class Options:
    """What a run was asked for; see `masquerade --help`."""

    inputs: tuple[Path, ...]
    output: Path
    report: Path | None = None
    seed: int | None = None
    key: Path | None = None
    method: Method = "generate"
    shape: ShapeSource = "drawn"
    keep_metadata: bool = False
    quality: int = QUALITY
    recursive: bool = False
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS
    threads: int = 2
    quiet: bool = False
    start: float = 0.0
    end: float | None = None
    codec: Codec | None = None
    crf: int | None = None
    keep: tuple[Path, ...] = ()


def parse(words: Sequence[str]) -> Options:
    """Options from the words of the command line; exits with code 2 and a sentence where they make no sense."""
    parser = argparse.ArgumentParser(
        prog="masquerade",
        description="Replaces every face in photos and videos by the face of a person who does not exist.",
        epilog="Other commands: masquerade train, masquerade export, masquerade evaluate; each tells more with --help.",
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="photos, videos and folders of them")
    parser.add_argument("--output", required=True, type=Path, metavar="OUT", help="a file for one input, a folder for several; names are kept")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what became of every face, as JSON")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--seed", type=_natural, metavar="N", help="make the run reproducible (default: new faces every time)")
    who.add_argument("--key", type=Path, metavar="FILE", help="give one person the same new face in all files; keep the key secret")
    parser.add_argument("--method", choices=("generate", "blur", "pixelate", "solid"), default="generate", help="default: %(default)s")
    parser.add_argument(
        "--shape", choices=("drawn", "own"), default="drawn", help="draw the features' outlines anew, or keep the person's: less anonymous"
    )
    parser.add_argument("--keep-metadata", action="store_true", help="keep EXIF, but never the thumbnail (default: drop all metadata)")
    parser.add_argument("--quality", type=_percent, default=QUALITY, metavar="Q", help="of JPEG, WebP and HEIC, 1 to 100 (default: %(default)s)")
    parser.add_argument("--recursive", action="store_true", help="look into folders inside folders; their tree is kept")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.add_argument("--max-pixels", type=_positive, default=MAX_PIXELS, metavar="N", help="refuse larger photos (default: %(default)s)")
    parser.add_argument("--threads", type=_positive, default=2, metavar="N", help="for the networks (default: %(default)s)")
    clips = parser.add_argument_group("videos only")
    clips.add_argument("--start", type=_seconds, default=0.0, metavar="T", help="write from this second on")
    clips.add_argument("--end", type=_seconds, metavar="T", help="write up to this second; nothing outside the span is written")
    clips.add_argument("--codec", choices=("h264", "hevc", "vp9", "av1"), help="default: h264, in .webm vp9")
    clips.add_argument("--crf", type=_natural, metavar="N", help="quality of the codec, smaller is better (default: no visible loss)")
    clips.add_argument("--keep", type=Path, nargs="+", default=[], metavar="PHOTO", help="people on these photos stay as they are")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    parser.add_argument("--version", action="version", version=f"masquerade {__version__}")
    found = vars(parser.parse_args(words))
    return Options(**{**found, "inputs": tuple(found["inputs"]), "keep": tuple(found["keep"])})


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{word} is not a time in seconds")
    return seconds


def _natural(word: str) -> int:
    return _number(word, 0, None)


def _positive(word: str) -> int:
    return _number(word, 1, None)


def _percent(word: str) -> int:
    return _number(word, 1, 100)


def _number(word: str, least: int, most: int | None) -> int:
    try:
        number = int(word)
    except ValueError:
        number = least - 1
    if number < least or (most is not None and number > most):
        raise argparse.ArgumentTypeError(
            f"{word} is not a whole number from {least} to {most}" if most else f"{word} is not a whole number of {least} or more"
        )
    return number
