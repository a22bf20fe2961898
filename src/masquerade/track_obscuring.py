"""Obscures the faces of a clip's tracks: the same way from frame to frame, so that nothing flickers and nothing can be averaged away."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np

from masquerade.audit import NEARBY_IN_BOXES, Audit
from masquerade.faces.geometry import centre, shifted
from masquerade.frame_audit import FrameAudit
from masquerade.obscuring import Method, obscure
from masquerade.types import Face, FaceReport, Pixels
from masquerade.video import TrackedFace

AUDITED_EVERY, NOISES, MARGIN = 5, 16, 0.1
"""In every so many frames of a track the audit looks at what is obscured; so many noises are tried at most, until one is so far below the limit. One
that is there already stays while it passes: every change is seen."""

DOUBTFUL_AUDITED_EVERY, DOUBTFUL_NOISES = 15, 4
"""The same for what may be no face."""


@dataclass
class _Noise:
    """Which noise a track is obscured with, and in how many frames it was."""

    draw: int = 0
    frames: int = 0


class TrackObscurer:
    """What `ClipAnonymizer` does with faces that it does not replace.

    Args:
        audit: compares what is obscured with the person: by chance a blur may resemble somebody.
        method: "generate" sketches a face where one could not be replaced, and blurs what may be none; else what is asked for.
        entropy: decides all noise.
    """

    def __init__(self, audit: Audit, method: str, entropy: int) -> None:
        self._audit, self._asked, self._entropy = audit, method, entropy
        self._noises: dict[tuple[int, Method], _Noise] = {}

    def __call__(self, pixels: Pixels, tracked: TrackedFace, reason: str, is_face: bool = True) -> FaceReport:
        """Obscures a face of a frame, in place; what may be a hand or a microphone, `is_face` says, gets no features."""
        # Soft passages: the edges of cells would flicker as they go from pixel to pixel.
        method: Method = self._asked if self._asked != "generate" else "sketch" if is_face else "blur"  # type: ignore[assignment]
        noise = self._noises.setdefault((tracked.track, method), _Noise())
        if self._asked == "generate" and noise.frames % (AUDITED_EVERY if is_face else DOUBTFUL_AUDITED_EVERY) == 0:
            noise.draw = self._unlike(pixels, tracked, method, noise.draw, NOISES if is_face else DOUBTFUL_NOISES)
        noise.frames += 1
        obscure(pixels, tracked.face, method, self._noise(tracked.track, noise.draw))
        return FaceReport(tracked.face.box, "obscured", reason, None, 0)

    def forget_all_but(self, tracks: Container[int]) -> None:
        """Forgets tracks that have ended."""
        self._noises = {key: noise for key, noise in self._noises.items() if key[0] in tracks}

    def _unlike(self, pixels: Pixels, tracked: TrackedFace, method: Method, draw: int, noises: int) -> int:
        """The present noise of a track while it will do; else the next with which the obscured face is far from the person, or the least alike."""
        x0, y0, x1, y1 = _around(tracked.face, pixels)
        here, face = pixels[y0:y1, x0:x1], shifted(tracked.face, -x0, -y0)
        compared, least = FrameAudit(self._audit, here, face), (1.0, draw)
        for other in range(draw, draw + noises):
            there = here.copy()
            obscure(there, face, method, self._noise(tracked.track, other))
            similarity = compared(there)
            if similarity is not None and self._audit.passes(similarity + (MARGIN if other > draw else 0.0)):
                return other
            least = min(least, (1.0 if similarity is None else similarity, other))
        return least[1]

    def _noise(self, track: int, draw: int) -> np.random.Generator:
        """The same in every frame of a track."""
        return np.random.default_rng([self._entropy % 2**64, track, draw])


def _around(face: Face, photo: Pixels) -> tuple[int, int, int, int]:
    """The part of a photo that the audit looks at, x0, y0, x1, y1."""
    (x, y), reach = centre(face), NEARBY_IN_BOXES / 2 * max(face.width, face.height)
    return max(int(x - reach), 0), max(int(y - reach), 0), min(int(x + reach) + 1, photo.shape[1]), min(int(y + reach) + 1, photo.shape[0])
