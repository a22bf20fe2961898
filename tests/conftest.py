"""What many tests share: pictures, folders of data, and an anonymiser without networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from masquerade.types import FaceReport, Floats, Pixels, Result
from masquerade.video import ClipResult, Progress, VideoOptions

OnFaces = Callable[[Sequence[FaceReport]], None]

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

    def video(self, source: Path, target: Path, options: VideoOptions, on_progress: Progress, on_faces: OnFaces) -> ClipResult:
        """Writes a few bytes and says that a face was found in two frames; what a file named `torn` holds is partly lost."""
        self.asked = options
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"clip")
        for number in range(2):
            on_progress("replacing", number + 1, 2)
            on_faces([FaceReport((0, 0, 10, 10), "generated", "", 0.1, 1, number, 0)])
        return ClipResult(2, 1, 1, {"generated": 2}, f"{source} ends early; what could be read was anonymised." if "torn" in source.name else "")

    def people(self, photo: Pixels) -> list[Floats]:
        return [np.eye(128, dtype=np.float32)[0]]


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
