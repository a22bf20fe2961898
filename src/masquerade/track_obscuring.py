"""Obscures the faces of a clip's tracks: the same way from frame to frame, so that nothing flickers and nothing can be averaged away."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np

from masquerade.audit import Audit
from masquerade.obscuring import Method, obscure
from masquerade.types import FaceReport, Pixels
from masquerade.video import TrackedFace

AUDITED_EVERY, NOISES, MARGIN = 15, 6, 0.1
"""In every so many frames of a track the audit looks at what is obscured; so many noises are tried at most, until one is so far below the limit."""


@dataclass
class _Noise:
    """Which noise a track is obscured with, and in how many frames it was."""

    draw: int = 0
    frames: int = 0


class TrackObscurer:
    """What `ClipAnonymizer` does with faces that it does not replace.

    Args:
        audit: compares what is obscured with the person: by chance a blur may resemble somebody.
        method: "generate" blurs what could not be replaced; else what is asked for.
        entropy: decides all noise.
    """

    def __init__(self, audit: Audit, method: str, entropy: int) -> None:
        self._audit, self._is_audited, self._entropy = audit, method == "generate", entropy
        # Soft passages: the edges of cells would flicker as they go from pixel to pixel.
        self._method: Method = "blur" if method == "generate" else method  # type: ignore[assignment]
        self._noises: dict[int, _Noise] = {}

    def __call__(self, pixels: Pixels, tracked: TrackedFace, reason: str) -> FaceReport:
        """Obscures a face of a frame, in place."""
        noise = self._noises.setdefault(tracked.track, _Noise())
        if self._is_audited and noise.frames % AUDITED_EVERY == 0:
            noise.draw = self._unlike(pixels, tracked, noise.draw)
        noise.frames += 1
        obscure(pixels, tracked.face, self._method, self._noise(tracked.track, noise.draw))
        return FaceReport(tracked.face.box, "obscured", reason, None, 0)

    def forget_all_but(self, tracks: Container[int]) -> None:
        """Forgets tracks that have ended."""
        self._noises = {number: noise for number, noise in self._noises.items() if number in tracks}

    def _unlike(self, pixels: Pixels, tracked: TrackedFace, draw: int) -> int:
        """The first of a track's noises, from the present one on, with which the obscured face is far from the person, else the least alike."""
        least = 1.0, draw
        for other in range(draw, draw + NOISES):
            there = pixels.copy()
            obscure(there, tracked.face, self._method, self._noise(tracked.track, other))
            similarity = self._audit.similarity(pixels, there, tracked.face)
            if similarity is not None and self._audit.passes(similarity + MARGIN):
                return other
            least = min(least, (1.0 if similarity is None else similarity, other))
        return least[1]

    def _noise(self, track: int, draw: int) -> np.random.Generator:
        """The same in every frame of a track."""
        return np.random.default_rng([self._entropy % 2**64, track, draw])
