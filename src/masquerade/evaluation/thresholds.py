"""When two faces count as one person: the thresholds at which 1 in 1,000 pairs of strangers would.

They come from LFW, from all pairs of its people, with one photo of each; that takes minutes, so they are kept in a file.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from masquerade.errors import MasqueradeError
from masquerade.evaluation.metrics import distances_between
from masquerade.evaluation.photos import decoded
from masquerade.evaluation.recognisers import Embedding
from masquerade.types import Face, Pixels

FALSE_ACCEPT_RATE = 1e-3


@dataclass(frozen=True)
class Thresholds:
    """Two faces are one person's when their cosine is above `sface`, or their distance below `dlib`."""

    sface: float = 0.341
    dlib: float = 0.569


def parsed(text: str) -> Thresholds:
    """Reads thresholds as they are given on the command line: SFace's cosine, a comma, dlib's distance."""
    try:
        sface, dlib = map(float, text.split(",")[:2])
    except ValueError as error:
        raise MasqueradeError(f"The thresholds {text!r} are not two numbers; write them like 0.341,0.569.") from error
    return Thresholds(sface, dlib)


def from_lfw(pack: Path, faces: Callable[[Pixels], list[Face]], embed: Callable[[Pixels, Face], Embedding], cache: Path) -> Thresholds:
    """The thresholds of LFW, measured once and then read from `cache`.

    Args:
        pack: LFW's photos, a tar file of `lfw/<Name>/<Name>_0001.jpg`.
        faces: the detector.
        embed: the recognisers.
        cache: the JSON file that keeps them; measured again when `pack` is of another size.

    Raises:
        MasqueradeError: the pack is missing or no tar file.
    """
    try:
        size = pack.stat().st_size
        if cache.exists():
            kept = json.loads(cache.read_text())
            if kept["pack_bytes"] == size:
                return Thresholds(kept["sface"], kept["dlib"])
        people, embeddings = [], []
        for person, photo in _photos(pack):
            face = _middle_one(faces(photo), photo)
            if face is not None:
                people.append(person)
                embeddings.append(embed(photo, face))
    except (OSError, tarfile.TarError) as error:
        raise MasqueradeError(f"LFW cannot be read from {pack}; give its tar file with --lfw, or thresholds with --thresholds.") from error
    limits = of_strangers(people, embeddings)
    cache.write_text(json.dumps({**asdict(limits), "false_accept_rate": FALSE_ACCEPT_RATE, "photos": len(people), "pack_bytes": size}) + "\n")
    return limits


def of_strangers(people: list[str], embeddings: list[Embedding]) -> Thresholds:
    """The thresholds at the false accept rate among all pairs of different people.

    Args:
        people: who is on each photo.
        embeddings: the photos' faces, in the same order.

    Raises:
        MasqueradeError: there are fewer than two people.
    """
    names = np.unique(people, return_inverse=True)[1]
    strangers = np.triu(names[:, None] != names[None])
    if not strangers.any():
        raise MasqueradeError("Thresholds need photos of at least two people; give more photos or the thresholds themselves.")
    sface = np.stack([e.sface for e in embeddings])
    dlib = np.stack([e.dlib for e in embeddings])
    cosines = (sface @ sface.T)[strangers]
    distances = distances_between(dlib, dlib)[strangers]
    return Thresholds(float(np.quantile(cosines, 1 - FALSE_ACCEPT_RATE)), float(np.quantile(distances, FALSE_ACCEPT_RATE)))


def _photos(pack: Path) -> Iterator[tuple[str, Pixels]]:
    """Each person's first photo."""
    seen = set()
    with tarfile.open(pack) as archive:
        for entry in sorted(archive.getmembers(), key=lambda e: e.name):
            name = PurePosixPath(entry.name)
            content = archive.extractfile(entry) if name.suffix == ".jpg" and name.parent.name not in seen else None
            photo = decoded(content.read()) if content else None
            if photo is not None:
                seen.add(name.parent.name)
                yield name.parent.name, photo


def _middle_one(faces: list[Face], photo: Pixels) -> Face | None:
    """The person meant is in the middle; others stand beside."""
    height, width = photo.shape[:2]

    def off(face: Face) -> float:
        x0, y0, x1, y1 = face.box
        return float(abs(x0 + x1 - width) + abs(y0 + y1 - height))

    return min(faces, key=off, default=None)
