"""Is the person gone from a frame of a clip? What stands there is compared with who stood there, as often as is tried."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from masquerade.audit import Audit
from masquerade.faces.placing import Placement, placed
from masquerade.pipeline import at_once
from masquerade.types import Face, Floats, Pixels

UNMOVED = Placement()

APART = 0.03
"""Landmarks that lie further apart than this, in shares of the face's width, are others to a recogniser."""


@dataclass(frozen=True, eq=False)
class _Described:
    """Where a frame was looked at, and the vectors of what stands there; None where one could not be computed."""

    places: list[Face]
    vectors: Floats | None


class FrameAudit:
    """Compares one face of a frame with what stands there now.

    A track's landmarks are steadied; who detects faces in either frame anew compares what stands at others. So both are looked at where the track
    says and where the detector finds the face in each, and what stands there now also where it is found in the original: half a face at the picture's
    edge is taken for a whole one, which lies elsewhere.

    Args:
        audit: computes vectors.
        original: the frame as it was, RGB uint8.
        face: the face as the track says.
        placement: how its crop was moved.
        mean: the person's unit vector over the clip, None where there is none.
        threads: how many frames are looked at at once.
    """

    def __init__(
        self, audit: Audit, original: Pixels, face: Face, placement: Placement = UNMOVED, mean: Floats | None = None, threads: int = 1
    ) -> None:
        self._audit, self._original, self._face, self._placement, self._mean, self._threads = audit, original, face, placement, mean, threads
        self._person: _Described | None = None

    def __call__(self, pixels: Pixels) -> float | None:
        """How much what stands in a frame resembles the person; see `resemblance`."""
        if self._person is None:
            self._person, there = at_once(self._described, (self._original, pixels), self._threads)
        else:
            there = self._described(pixels)
        vectors = there.vectors
        elsewhere = [place for place in self._person.places if all(_apart(place, other) > APART * place.width for other in there.places)]
        if vectors is not None and elsewhere:
            more = self._audit.describe_at(pixels, elsewhere)
            vectors = None if more is None else np.concatenate([vectors, more])
        return resemblance(self._audit, self._mean, self._person.vectors, vectors)

    def _described(self, photo: Pixels) -> _Described:
        """Where the face lies and where a detector finds it; where it finds none, at the detector's points of before."""
        there = placed(self._face, self._placement)
        try:
            found = self._audit.found_in_place(photo, there)
        except (cv2.error, ValueError, ArithmeticError):
            return _Described([there], None)
        places = [there, *(found or ([] if self._placement == UNMOVED else [self._face]))]
        return _Described(places, self._audit.describe_at(photo, places))


def _apart(face: Face, other: Face) -> float:
    """Mean distance of landmarks, in pixels."""
    return float(np.hypot(*(face.landmarks - other.landmarks).T).mean())


def resemblance(audit: Audit, mean: Floats | None, frame: Floats | None, there: Floats | None) -> float | None:
    """How much a new face resembles a person in a clip: the mean of their looks, or the original frame.

    Args:
        audit: compares.
        mean: the person's unit vector over the clip, None where there is none.
        frame: vectors of the original frame, from `Audit.describe`.
        there: those of what stands there now.

    Returns:
        Cosine, -1 to 1; None where it cannot be measured.
    """
    to_frame, to_mean = audit.likeness(frame, there), audit.likeness(None if mean is None else mean[None], there)
    if to_frame is None:
        return None
    return to_frame if to_mean is None else max(to_mean, to_frame)
