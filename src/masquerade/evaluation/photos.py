"""Folders of photos: what is in them, who is on them, and their pixels as any other program would read them."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from masquerade.errors import MasqueradeError
from masquerade.types import Pixels

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
"""What counts as a photo in a folder."""

IDENTITIES = "identity.csv"


def photos_in(folder: Path) -> list[Path]:
    """All photos in a folder and below it, sorted, relative to it.

    Raises:
        MasqueradeError: the folder is missing or holds none.
    """
    found = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file())
    if not found:
        raise MasqueradeError(f"There is no photo in {folder}; give a folder that holds photos.")
    return found


def identities_in(folder: Path) -> dict[Path, str]:
    """Who is in each photo of a folder: by its `identity.csv` (file, identity), else the photo's own folder, else its name up to the last "_".

    Args:
        folder: where the photos are.

    Returns:
        Identity by path relative to the folder; photos of nobody known are left out.
    """
    table = folder / IDENTITIES
    if table.exists():
        with table.open(newline="") as lines:
            listed = {row["file"]: row["identity"] for row in csv.DictReader(lines)}
        return {p: listed[p.as_posix()] for p in photos_in(folder) if p.as_posix() in listed}
    return {p: p.parent.name or p.stem.rpartition("_")[0] for p in photos_in(folder) if p.parent.name or "_" in p.stem}


def read_photo(path: Path) -> Pixels | None:
    """RGB uint8, upright, None where there is no photo."""
    return decoded(path.read_bytes()) if path.exists() else None


def decoded(content: bytes) -> Pixels | None:
    """RGB uint8 of a photo's file, upright, None where it is none."""
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
