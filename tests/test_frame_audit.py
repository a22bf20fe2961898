"""What stands in a frame is compared wherever somebody else would compare it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from masquerade.audit import Audit
from masquerade.faces.alignment import TEMPLATE
from masquerade.frame_audit import FrameAudit
from masquerade.types import Face, Floats, Pixels

FACE = Face((20.0, 20.0, 108.0, 118.0), (TEMPLATE * 128).astype(np.float32), 0.9)
LOWER = replace(FACE, landmarks=FACE.landmarks + np.float32(12))
ORIGINAL, RESULT = np.full((128, 128, 3), 10, np.uint8), np.full((128, 128, 3), 200, np.uint8)


class Recogniser:
    """Sees the person in everything that is at the lower landmarks, and in the original; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, photo: Pixels, face: Face) -> Floats:
        self.asked += 1
        is_person = photo.mean() < 100 or face.landmarks.mean() > FACE.landmarks.mean() + 6
        return np.eye(128, dtype=np.float32)[0 if is_person else 1]


def only_in_the_original(photo: Pixels) -> list[Face]:
    return [LOWER] if photo.mean() < 100 else []


def nowhere(photo: Pixels) -> list[Face]:
    return []


def test_also_where_the_face_is_found_in_the_original_only() -> None:
    assert FrameAudit(Audit(Recogniser(), only_in_the_original, 0.36), ORIGINAL, FACE)(RESULT) == 1.0
    assert FrameAudit(Audit(Recogniser(), nowhere, 0.36), ORIGINAL, FACE)(RESULT) == 0.0


def test_the_person_s_vectors_are_computed_once() -> None:
    recogniser = Recogniser()
    audit = FrameAudit(Audit(recogniser, nowhere, 0.36), ORIGINAL, FACE)
    audit(RESULT)
    before = recogniser.asked
    audit(RESULT)
    assert recogniser.asked == before + 1


def test_who_resembles_the_mean_of_a_person_s_looks_is_alike() -> None:
    mean = np.eye(128, dtype=np.float32)[1]
    assert FrameAudit(Audit(Recogniser(), nowhere, 0.36), ORIGINAL, FACE, mean=mean)(RESULT) == 1.0


def test_what_cannot_be_measured_is_told_as_none() -> None:
    class Blind(Recogniser):
        def embed(self, photo: Pixels, face: Face) -> Floats:
            return np.zeros(128, np.float32)

    assert FrameAudit(Audit(Blind(), nowhere, 0.36), ORIGINAL, FACE)(RESULT) is None
