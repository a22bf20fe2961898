"""Training data: photos once turned into packed arrays of canonical crops, and batches drawn from them.

A prepared folder holds, all in the same order:

    crops.npy     N x 128 x 128 x 3 uint8 RGB (N x 512 x 512 x 3 for SuperResolutionNet; everything else is the same)
    table.csv     file, source, identity (-1: unknown), split (train, val, test), made_up (1: a person who does not exist)
    truth.npy     N x 128 x 128 uint8, hand-made parsing maps, 255 where there is none (only the labelled rows)
    parsing.npy   N x 128 x 128 uint8, SegmentationNet's maps in merged classes (see regions.py)
    scenes.npy    N x 128 x 128 x 3 uint8 RGB, the faces within what surrounds them (see faces/scene.py), gray beyond the photo's edge
    pose.npy      N x 10 float32, the condition (see faces/landmarks.py), NaN where the mesh found no face
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masquerade.errors import MasqueradeError

MESH = "mesh.npy"
"""What `masquerade.training.mesh` writes beside the crops: N x 478 x 3 float16, MediaPipe's points in shares of the side, NaN where it saw none."""

SCENES, PEOPLE = "scenes.npy", "people.npy"
"""Scenes, and what `masquerade.training.witness` writes beside them: N x 2 float32, probability of a woman and age."""

DRAWN = "drawn.npy"
"""What `masquerade.training.drawn` writes: new faces in the crops that they were drawn on, heads x faces x 128 x 128 x 3 uint8."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared folder; arrays are memory maps, absent ones are None."""

    folder: Path
    crops: NDArray[np.uint8]
    table: list[dict[str, str]]
    truth: NDArray[np.uint8] | None
    parsing: NDArray[np.uint8] | None
    pose: NDArray[np.float32] | None

    def column(self, name: str) -> NDArray[np.str_]:
        return np.array([row[name] for row in self.table])

    @property
    def identities(self) -> NDArray[np.int64]:
        return self.column("identity").astype(np.int64)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Indices of one split: train, val or test."""
        return np.flatnonzero(self.column("split") == split)


def open_prepared(folder: Path) -> Prepared:
    """Opens a folder that `masquerade train prepare` wrote.

    Raises:
        MasqueradeError: the folder holds no prepared data.
    """
    if not (folder / "crops.npy").exists():
        raise MasqueradeError(f"{folder} holds no prepared data: run `masquerade train prepare --out {folder}` first.")

    def array(name: str) -> NDArray[np.uint8] | None:
        path = folder / name
        return np.load(path, mmap_mode="r") if path.exists() else None

    with (folder / "table.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    pose = array("pose.npy")
    return Prepared(
        folder,
        np.load(folder / "crops.npy", mmap_mode="r"),
        table,
        array("truth.npy"),
        array("parsing.npy"),
        None if pose is None else pose.view(np.float32),
    )
