from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from masquerade.evaluation.measuring import Instruments
from masquerade.evaluation.recognisers import Embedding
from masquerade.types import Box, Face, Floats, Pixels

FACE_BOX: Box = (40.0, 40.0, 100.0, 110.0)
SKIN = 200, 150, 120


def _face_in(box: Box) -> Face:
    x0, y0, x1, y1 = box
    shares = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    return Face(box, (shares * [x1 - x0, y1 - y0] + [x0, y0]).astype(np.float32), 0.9)


@pytest.fixture
def face_in() -> Callable[[Box], Face]:
    """Makes a face whose landmarks lie in the box as an upright face has them."""
    return _face_in


@pytest.fixture
def photo() -> Pixels:
    """Noise with one plain patch, which the made-up detector takes for a face."""
    pixels = np.random.default_rng(0).integers(0, 255, (160, 160, 3), np.uint8)
    pixels[40:110, 40:100] = SKIN
    return pixels


@pytest.fixture
def save() -> Callable[[Path, Pixels], None]:
    """Writes a photo as PNG, its folder too."""

    def write(path: Path, pixels: Pixels) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes())

    return write


def _faces(photo: Pixels) -> list[Face]:
    return [_face_in(FACE_BOX)] if photo[60:90, 60:80].std(axis=(0, 1)).max() < 10 else []


def _embed(photo: Pixels, face: Face) -> Embedding:
    x0, y0, x1, y1 = map(int, face.box)
    colour = photo[y0:y1, x0:x1].reshape(-1, 3).mean(0) - 127
    return Embedding((colour / np.linalg.norm(colour)).astype(np.float32), colour / 255, True)


def _mesh(photo: Pixels, face: Face) -> Floats:
    return np.random.default_rng(1).normal(size=(468, 3)).astype(np.float32)


def _features(crops: Sequence[Pixels]) -> Floats:
    return np.stack([crop.reshape(-1, 3).mean(0) for crop in crops]).astype(np.float32)


@pytest.fixture
def instruments() -> Instruments:
    """Made-up parts: the detector sees smooth patches, a face's colour is its identity."""
    return Instruments(_faces, _embed, _mesh, _features)
