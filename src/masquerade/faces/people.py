"""Who is who in a clip: the best looks at every track, and one person for all tracks of one face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np

from masquerade.faces.tracks import Track
from masquerade.types import Face, Floats, Pixels

T = TypeVar("T")

Embed = Callable[[Pixels, Face], Floats]
"""From a photo and a face in it to a unit vector, near for two photos of one person."""

SAME_PERSON = 0.42
"""Cosine of two tracks' mean embeddings above which they are of one person. Single photos of different people reach 0.34 once in a
thousand pairs; to give one person two faces is a smaller error than to give two people one."""

PORTRAITS, APART_S = 8, 0.4
"""So many looks are kept of a track, and they lie so many seconds apart."""

VIEWS, FEW_VIEWS, FIRST_APART_S = 24, 6, 0.1
"""So many views are kept at most, of a track, spread evenly over it, and of a person, or of one who always is small; they lie so many seconds apart
in the shortest tracks."""

SMALL_PX = 48
"""Of faces that are never larger than so many pixels nobody sees much."""

PORTRAIT_FACE_PX, PORTRAIT_MARGIN, CELL_PX = 96, 1.0, 32
"""Width of the face in a portrait at most; what is shown around it, in sides of the face, at least: a portrait begins at one of the detector's
cells, so that the detector finds in it what it found in the frame."""

LEAST_PX, LEAST_SCORE = 24, 0.7
"""Faces that are smaller or less sure say nothing about who it is."""

BLURRED, SHARP = 0.8, 4.0
"""Mean height of a face's details in grey levels, at a width of 48 pixels: below the first all faces look alike to a recogniser."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face and what is around it, cut out of a frame.

    Attributes:
        pixels: RGB uint8.
        face: in pixels of the portrait.
        quality: 0 to 1: sharp, large and frontal.
    """

    pixels: Pixels
    face: Face
    quality: float


@dataclass(eq=False)
class Person:
    """Somebody in the clip, though the clip does not say who.

    Attributes:
        number: of no other person of the clip.
        portraits: the best looks, the best first; empty where there was none.
        views: looks good and bad, spread over all frames in which the face was detected: as it will have to be replaced.
        tracks: spans of frames (first, last) in which the face was detected.
        embedding: the unit vector of all looks together, None where there was none.
    """

    number: int
    portraits: list[Portrait] = field(default_factory=list)
    views: list[Portrait] = field(default_factory=list)
    tracks: list[tuple[int, int]] = field(default_factory=list)
    embedding: Floats | None = None
    weight: float = 0.0

    def likeness(self, embedding: Floats) -> float:
        """Cosine of a unit vector and the person's, -1 where nothing is known of the person."""
        return -1.0 if self.embedding is None else float(embedding @ self.embedding)


class Gallery:
    """Keeps the best looks at each open track, and a fair sample of all of them.

    Args:
        rate: frames a second.
    """

    def __init__(self, rate: float) -> None:
        self._apart = max(1, round(APART_S * rate))
        self._portraits: dict[int, list[tuple[int, Portrait]]] = {}
        self._first_apart = max(1, round(FIRST_APART_S * rate))
        self._views: dict[int, _Sample] = {}

    def offer(self, track: int, frame: int, rgb: Pixels, face: Face) -> None:
        """Shows the face of a track in a frame; it is cut out when it is better than what there is, or its turn to be sampled."""
        sample = self._views.setdefault(track, _Sample(self._first_apart))
        if sample.is_due(frame) and min(face.width, face.height) >= LEAST_PX:
            sample.add(frame, _portrait(rgb, face, 0.0))
        quality = _quality(face) * _sharpness(rgb, face)
        if quality <= 0:
            return
        kept = self._portraits.setdefault(track, [])
        near = [entry for entry in kept if abs(frame - entry[0]) < self._apart]
        worst = min(near or kept, key=lambda entry: entry[1].quality, default=None)
        if near or len(kept) >= PORTRAITS:
            if worst is None or quality < worst[1].quality + 0.05:
                return
            kept.remove(worst)
        kept.append((frame, _portrait(rgb, face, quality)))

    def take(self, track: int) -> list[Portrait]:
        """The looks at a track that ended, the best first; forgets them."""
        return sorted((portrait for _, portrait in self._portraits.pop(track, [])), key=lambda p: p.quality, reverse=True)

    def take_views(self, track: int) -> list[Portrait]:
        """The fair sample of a track that ended, in the order of time; forgets it."""
        sample = self._views.pop(track, None)
        return [] if sample is None else [view for _, view in sample.kept]


@dataclass
class _Sample:
    """Looks that lie equally far apart: whenever there are too many, every other one is given up."""

    apart: int
    kept: list[tuple[int, Portrait]] = field(default_factory=list)

    def is_due(self, frame: int) -> bool:
        return not self.kept or frame - self.kept[-1][0] >= self.apart

    def add(self, frame: int, view: Portrait) -> None:
        self.kept.append((frame, view))
        if len(self.kept) > VIEWS:
            self.kept, self.apart = self.kept[::2], 2 * self.apart


class People:
    """Finds out which tracks are of one person.

    Args:
        embed: the recogniser.
        same_person: cosine above which two tracks may be of one person, -1 to 1.
    """

    def __init__(self, embed: Embed, same_person: float = SAME_PERSON) -> None:
        self._embed, self._same = embed, same_person
        self.people: list[Person] = []

    def person_of(self, track: Track, portraits: Sequence[Portrait], views: Sequence[Portrait] = ()) -> Person:
        """Whose track this is: somebody's whose face was nowhere else in these frames, or somebody new's."""
        span = track.first_detected, track.last_detected
        embeddings = [self._embed(p.pixels, p.face) for p in portraits]
        mean = _unit(np.sum([p.quality * e for p, e in zip(portraits, embeddings, strict=True)], 0)) if portraits else None
        person = self._known(mean, span) if mean is not None else None
        if person is None:
            person = Person(len(self.people))
            self.people.append(person)
        person.tracks.append(span)
        together = [*person.views, *views]
        is_small = all(max(view.face.width, view.face.height) < SMALL_PX for view in together)
        person.views = spread(together, FEW_VIEWS if is_small else VIEWS)
        if mean is not None:
            weight = sum(p.quality for p in portraits)
            before = 0.0 if person.embedding is None else person.weight * person.embedding
            person.embedding, person.weight = _unit(before + weight * mean), person.weight + weight
            person.portraits = sorted([*person.portraits, *portraits], key=lambda p: p.quality, reverse=True)[:PORTRAITS]
        return person

    def _known(self, embedding: Floats, span: tuple[int, int]) -> Person | None:
        free = [p for p in self.people if not any(a <= span[1] and span[0] <= b for a, b in p.tracks)]
        best = max(free, key=lambda p: p.likeness(embedding), default=None)
        return best if best is not None and best.likeness(embedding) >= self._same else None


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most so many of them, evenly spread."""
    return [items[i] for i in np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)]


def _quality(face: Face) -> float:
    """How much a look at a face says about who it is, 0 to 1."""
    side = min(face.width, face.height)
    if side < LEAST_PX or face.score < LEAST_SCORE:
        return 0.0
    left, right, nose = face.landmarks[:3]
    between = max(float(np.hypot(*(right - left))), 1e-6)
    along = float((nose - left) @ (right - left)) / between**2
    frontal = max(0.0, 1 - 2 * abs(along - 0.5))
    return face.score * min(1.0, side / PORTRAIT_FACE_PX) * (0.2 + 0.8 * frontal)


def _sharpness(rgb: Pixels, face: Face) -> float:
    """0 to 1: how much detail a face shows, wherever it is not blurred or in the dark."""
    x0, y0, x1, y1 = (max(round(v), 0) for v in face.box)
    if x1 - x0 < 2 or y1 - y0 < 2 or x0 >= rgb.shape[1] or y0 >= rgb.shape[0]:
        return 0.0
    small = cv2.resize(rgb[y0:y1, x0:x1], (48, 60), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    details = float(np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 1.5)).mean())
    return float(np.clip((details - BLURRED) / (SHARP - BLURRED), 0, 1))


def _portrait(rgb: Pixels, face: Face, quality: float) -> Portrait:
    """The face with what is around it, no larger than a recogniser needs."""
    margin = PORTRAIT_MARGIN * max(face.width, face.height)
    x0, y0 = (max(int((v - margin) // CELL_PX), 0) * CELL_PX for v in face.box[:2])
    near = rgb[y0 : int(face.box[3] + margin) + 1, x0 : int(face.box[2] + margin) + 1]
    scale = min(1.0, PORTRAIT_FACE_PX / face.width)
    pixels = near.copy() if scale == 1 else np.asarray(cv2.resize(near, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    shift = np.array([x0, y0], np.float32)
    box = tuple(float(v) for v in (np.array(face.box) - np.tile(shift, 2)) * scale)
    return Portrait(pixels, Face((box[0], box[1], box[2], box[3]), ((face.landmarks - shift) * np.float32(scale)), face.score), quality)


def _unit(vector: Floats) -> Floats:
    unit: Floats = (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)
    return unit
