"""Is the person gone? Compares what was a face with what stands there now; whatever cannot be measured counts as not gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.faces.alignment import take_crop
from masquerade.faces.geometry import centre, moved, roll_degrees, scaled
from masquerade.types import Face, Floats, Pixels

WHOLE_PX = (640, 1280)
"""Longest sides to which tools shrink a photo before they look for faces in the whole of it. Landmarks of leaning heads differ much from one
size to the next, and with them what a recogniser sees."""

Detector = Callable[[Pixels], list[Face]]

DOUBT, SHAKEN, SHAKES = 0.12, 0.01, 6
"""In the finished photo whoever is less than `DOUBT` below the limit is looked at with landmarks moved by `SHAKEN` of the face's width, so many
times: a face passed at 0.299, and in the file, whose landmarks lay a little elsewhere, it was 0.345."""

MARGIN = 0.06
"""How far below the recogniser's threshold a replacement must stay.

Somebody who detects the faces anew measures with other landmarks: on 149 photos of LFW with half-replaced faces never more than 0.024
above the audit's figure. And the threshold itself depends on the people: 0.341 on LFW's 1,500 listed pairs, 0.359 on all pairs.
"""

NEARBY_IN_BOXES = 3.0
"""Side of the picture in which a face is looked for again, in sides of its box."""

NEARBY_PX = 224
"""Larger pictures are shrunk to this before looking."""

IN_PLACE_IN_BOXES, CELL_PX = 4.0, 32
"""Side of the part of a photo in which a face is looked for where it is, in sides of its box; and the detector's largest cells."""


class Recognizer(Protocol):
    """What the audit needs to compare people, such as SFace."""

    def embed(self, photo: Pixels, face: Face) -> Floats:
        """Describes a person by a unit vector."""
        ...


OFF = ((1.06, 0.05), (0.94, -0.05))
"""How far landmarks are put off in a thorough look: their distance, and a step downwards in shares of their height."""


class Audit:
    """Decides whether a replacement still is the person.

    Landmarks differ a little from one detection to the next, and with them the vectors; so both pictures are measured at the original
    landmarks and at those that a detector finds there now, and the largest of the four similarities counts.

    Args:
        recognizer: describes people by vectors.
        detector: finds faces in a small picture; may find none.
        threshold: the cosine similarity from which on the recogniser would say "the same person".
        margin: how far below it a replacement must stay.

    Attributes:
        limit: the similarity below which the person is gone.
    """

    def __init__(self, recognizer: Recognizer, detector: Detector, threshold: float, margin: float = MARGIN) -> None:
        self._recognizer, self._detector, self.limit = recognizer, detector, threshold - margin

    def describe(self, photo: Pixels, face: Face, whole_px: int = 0, again: bool = True) -> Floats | None:
        """The person's vectors, for comparing several replacements with one original.

        Args:
            photo: RGB uint8, height x width x 3.
            face: where the face is, or was.
            whole_px: for a thorough look, the longest side of the whole photo, of which the pixels at hand may be a part: also at landmarks as
                tools find them that shrink it, and a little off.
            again: also at the landmarks that the detector finds there now; without is three times as quick.

        Returns:
            float32, one to three rows of unit vectors, two to four more in a thorough look; None where none can be computed.
        """
        try:
            places = [face, *(self._found_again(photo, face, 90.0 * round(roll_degrees(face) / 90)) if again else ())]
            if whole_px:
                # Who looks at the whole picture, and does not set a lying face upright first, finds other landmarks.
                scales = {min(1.0, size / whole_px) for size in WHOLE_PX}
                places += self._found_as_it_lies(photo, face, sorted(scales, reverse=True))
                places += [_off(face, factor, drop) for factor, drop in OFF]
        except (cv2.error, ValueError, ArithmeticError):
            return None
        return self.describe_at(photo, places)

    def describe_at(self, photo: Pixels, places: Sequence[Face]) -> Floats | None:
        """The vectors of what stands at these places, one row each; None where one cannot be computed, or there is no place."""
        try:
            vectors = np.stack([self._recognizer.embed(photo, place) for place in places])
        except (cv2.error, ValueError, ArithmeticError):
            return None
        lengths = np.linalg.norm(vectors, axis=1)
        return vectors if np.isfinite(vectors).all() and (lengths > 0.5).all() else None

    def similarity(self, original: Pixels, result: Pixels, face: Face) -> float | None:
        """How much the replacement resembles the person: cosine, -1 to 1; None where it cannot be measured.

        Args:
            original: RGB uint8, height x width x 3.
            result: the same photo with the face replaced.
            face: the face as it was found in the original.
        """
        return self.likeness(self.describe(original, face), self.describe(result, face))

    @staticmethod
    def likeness(person: Floats | None, replacement: Floats | None) -> float | None:
        """The same as `similarity`, of two results of `describe`."""
        if person is None or replacement is None:
            return None
        return float((person @ replacement.T).max())

    @staticmethod
    def sees_face(replacement: Floats | None) -> bool:
        """Whether the detector found a face in what `describe` looked at, not thoroughly: the landmarks found there gave a second vector."""
        return replacement is not None and len(replacement) > 1

    def last_look(self, original: Pixels, result: Pixels, faces: Sequence[Face]) -> list[float | None]:
        """How much people resemble their replacements to a tool that looks at the whole of both photos, as they are or shrunk to 1280 pixels.

        A landmark that lies a pixel elsewhere can turn the whole alignment of a half-covered face: so the very picture that is given away is
        looked at, and where there is doubt with landmarks moved by about a pixel, as they will be once the picture was compressed.

        Args:
            original, result: RGB uint8, height x width x 3.
            faces: as they were found in the original.

        Returns:
            A cosine for each face; None where the original shows none there. Where the result shows none, as with what was obscured, both are
            compared at the original's landmarks.
        """
        scale = min(1.0, WHOLE_PX[-1] / max(original.shape[:2]))
        small = [
            np.asarray(cv2.resize(p, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8) if scale < 1 else p
            for p in (original, result)
        ]
        found = [[scaled(f, 1 / scale) for f in self._detector(picture)] for picture in small]
        similarities: list[float | None] = []
        for face in faces:
            before, after = (_near(face, there) for there in found)
            there = (after or before)[:1]
            similarities.append(self._seen(self._recognizer.embed(original, before[0]), result, there[0]) if before else None)
        return similarities

    def _seen(self, person: Floats, photo: Pixels, face: Face) -> float:
        """A face's cosine with a person; in doubt the largest over landmarks that are moved a little."""
        similarity = float(person @ self._recognizer.embed(photo, face))
        if self.limit - DOUBT < similarity < self.limit:
            rng = np.random.default_rng(0)
            moves = rng.normal(0, SHAKEN * face.width, (SHAKES, *face.landmarks.shape)).astype(np.float32)
            shaken = [self._recognizer.embed(photo, replace(face, landmarks=face.landmarks + move)) for move in moves]
            similarity = max(similarity, *(float(person @ vector) for vector in shaken))
        return similarity

    def passes(self, similarity: float | None) -> bool:
        """Whether the person is gone for sure."""
        return similarity is not None and similarity < self.limit

    def _found_again(self, photo: Pixels, face: Face, turn: float) -> list[Face]:
        """The face as the detector finds it now near its place, turned by so many degrees; nothing where it finds none."""
        side = NEARBY_IN_BOXES * max(face.width, face.height)
        scale = min(1.0, NEARBY_PX / side)
        size = max(1, round(side * scale))
        matrix = np.asarray(cv2.getRotationMatrix2D(centre(face), turn, scale), np.float64)
        matrix[:, 2] += (size - 1) / 2 - np.array(centre(face))
        return self._nearest(take_crop(photo, matrix, size).pixels, face, matrix)

    def found_in_place(self, photo: Pixels, face: Face) -> list[Face]:
        """The face as the detector finds it now in the whole photo, looking at no more of it than matters; nothing where it finds none.

        In a part that begins at one of the detector's cells it finds what it finds in the whole: of 38 faces of a clip SFace's cosines differ by
        0.002, and by 0.061 in a part that is cut and scaled to the face.
        """
        scale = min(1.0, WHOLE_PX[-1] / max(photo.shape[:2]))
        cell, reach = CELL_PX / scale, IN_PLACE_IN_BOXES / 2 * max(face.width, face.height)
        x0, y0 = (max(0, round((middle - reach) // cell * cell)) for middle in centre(face))
        x1, y1 = (round(-(-(middle + reach) // cell) * cell) for middle in centre(face))
        part = photo[y0:y1, x0:x1]
        if scale < 1:
            part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        return self._nearest(np.ascontiguousarray(part), face, np.array([[scale, 0, -x0 * scale], [0, scale, -y0 * scale]]))

    def _found_as_it_lies(self, photo: Pixels, face: Face, scales: Sequence[float]) -> list[Face]:
        """The face as the detector finds it now in the shrunk picture, for each of the scales, from large to small; nothing where it finds none."""
        found, small = list[Face](), photo
        for scale in scales:
            if scale < 1:
                size = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
                # Each from the one before: shrinking a large picture takes longer than looking at a small one.
                small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.uint8)
            found += self._nearest(small, face, np.array([[scale, 0, 0], [0, scale, 0]]))
        return found

    def _nearest(self, picture: Pixels, face: Face, matrix: NDArray[np.float64]) -> list[Face]:
        """The surest face that the detector finds near a place, in a picture that a matrix leads to."""
        back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
        return _near(face, [moved(f, back) for f in self._detector(picture)])


def _near(face: Face, found: Sequence[Face]) -> list[Face]:
    """The surest of the faces that lie where this one lies; none where there is none."""
    close = [f for f in found if np.hypot(*(f.landmarks.mean(0) - face.landmarks.mean(0))) < 0.5 * max(face.width, face.height)]
    return [max(close, key=lambda f: f.score)] if close else []


def _off(face: Face, factor: float, drop: float) -> Face:
    """The face with its landmarks drawn apart by a factor and moved down by a share of their spread."""
    middle = face.landmarks.mean(0)
    landmarks = middle + (face.landmarks - middle) * np.float32(factor)
    landmarks[:, 1] += np.float32(drop) * np.ptp(face.landmarks[:, 1])
    return replace(face, landmarks=landmarks.astype(np.float32))
