"""What many tests share: pictures, folders of data, and an anonymiser without networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from masquerade.types import FaceReport, Pixels, Result

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Photos and clips that are too many to ship; they may lie beside the project."""


class Painter:
    """An anonymiser whose every photo holds one face, in the upper left quarter, and which paints it green.

    Attributes:
        seen: the photos that were handed in.
    """

    def __init__(self, action: str = "generated", reason: str = "") -> None:
        self.seen: list[Pixels] = []
        self._action, self._reason = action, reason

    def photo(self, rgb: Pixels) -> Result:
        self.seen.append(rgb)
        pixels = rgb.copy()
        height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
        pixels[:height, :width] = (0, 200, 0)
        face = FaceReport((0, 0, width, height), self._action, self._reason, 0.125, 1)  # type: ignore[arg-type]
        return Result(pixels, (face,))


@pytest.fixture
def painter() -> Painter:
    return Painter()


@pytest.fixture
def colours() -> Callable[..., Pixels]:
    """Makes a smooth coloured picture, which JPEG and WebP keep well."""

    def make(width: int = 64, height: int = 48) -> Pixels:
        x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
        return np.stack([40 + 180 * x, 60 + 150 * y, 220 - 160 * x * y], axis=2).round().astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of photos and clips; the test is skipped where it is missing."""
    if not DATA.is_dir():
        pytest.skip(f"needs the photos and clips that may lie in {DATA}")
    return DATA
