"""Tries new faces on one face of a photo, several at once, and takes one that the audit lets pass."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import cv2
import numpy as np

from masquerade.appraisal import Appraisal, appraise, foresee_with
from masquerade.audit import Audit
from masquerade.enlarging import lay
from masquerade.faces.alignment import region_of, within
from masquerade.faces.geometry import moved, shifted
from masquerade.generation.asking import asked_again
from masquerade.generation.foresight import Foresight
from masquerade.generation.identity import Surroundings
from masquerade.generation.replacement import Reading
from masquerade.generation.search import Foresee, Search
from masquerade.generation.sharpness import blurred
from masquerade.generation.superresolution import Detailed
from masquerade.masks import pasted_mask
from masquerade.parts import Parts
from masquerade.pipeline import at_once
from masquerade.types import Crop, Face, Floats, Identity, Pixels

AUDITED_MARGIN = 0.6
"""The audit looks at the crop and this much around it, in shares of the face's box."""

TRIED_PX = 240
"""Candidates for larger faces are tried on a copy in which the face has this size: recognisers look at less."""

UNLIKE = 0.05
"""Who is less like the person than this is preferred to nobody: strangers differ so little in it, and the least alike are the ugliest."""

DOUBTFUL, DOUBT = 0.2, 3.0
"""Who is more like the person than this may not pass the closer look, which takes long; and how much every bit of likeness beyond counts."""

COMMON = 0.5
"""How much likeness to what all new faces have in common counts, beside likeness to the person: new faces should differ from each other."""

DISTINCTNESS = 4.0
"""How much it counts how steep eyes and brows will be: how faint they will be is not foreseen, but who of several will have the clearest."""

SHRUNK_FROM = 0.7
"""A copy that would be shrunk by less is no quicker."""


@dataclass(frozen=True, eq=False)
class Passed:
    """A new face that passed.

    Attributes:
        box: x0, y0, x1, y1 in pixels of the photo.
        pixels: what stands there now, RGB uint8.
        similarity: the largest that the audit measured.
    """

    box: tuple[int, int, int, int]
    pixels: Pixels
    similarity: float


@dataclass(eq=False)
class _Tried:
    """A new face, how alike it is to the person as far as is known, and what else is thought of it."""

    identity: Identity
    drawn: Floats
    pixels: Pixels
    similarity: float
    appraisal: Appraisal
    is_face: bool = True

    @property
    def rank(self) -> float:
        """Who of those that pass is taken: the lowest."""
        return max(self.similarity, UNLIKE) + DOUBT * max(self.similarity - DOUBTFUL, 0.0) + self.appraisal.burden

    @property
    def likeness(self) -> float:
        """Who has children, while nobody passes: the lowest."""
        return self.similarity + self.appraisal.likeness


def foreseen_for(foresight: Foresight | None, person: Floats | None, around: Surroundings) -> Foresee | None:
    """What will speak against identities in a photo, see `masquerade.appraisal.foresee_with`."""
    return foresee_with(foresight, person, around, likeness=1.0, commonness=COMMON, distinctness=DISTINCTNESS)


class FaceTrial:
    """One face that is to be replaced.

    Attributes:
        seen: how many of the new faces so far were faces to a detector, and to the parser whole ones.

    Args:
        audit: decides.
        parts: what draws new faces and gives a second opinion on them.
        original: the photo as it was, RGB uint8.
        pixels: the photo with what was replaced before; stays as it is.
        face, crop, reading: what is replaced.
        first: whether the first that passes is taken, as keys need it, and not the one least like the person.
    """

    def __init__(
        self, audit: Audit, parts: Parts, original: Pixels, pixels: Pixels, face: Face, crop: Crop, reading: Reading, first: bool = False
    ) -> None:
        assert parts.replacement is not None
        self._audit, self._parts, self._drawer, self._crop, self._reading, self._first = audit, parts, parts.replacement, crop, reading, first
        self._place, before = _Place(pixels, face, crop), _Place(original, face, crop)
        factor = TRIED_PX / max(face.width, face.height)
        self._shrinking = factor if factor < SHRUNK_FROM else 1.0
        self._small, small_before = (p.smaller(factor) if factor < SHRUNK_FROM else p for p in (self._place, before))
        self._person = audit.describe(small_before.pixels, small_before.face)
        self._whole_px = max(original.shape[:2])
        self._person_closely = audit.describe(before.pixels, before.face, self._whole_px)
        self._is_hard = False
        self.seen = 0

    @property
    def foresee(self) -> Foresee | None:
        """What will speak against identities for this person; None where nothing can be told."""
        return foreseen_for(self._parts.foresight, None if self._person is None else self._person[0], self._reading.around)

    def round(self, search: Search, count: int) -> Passed | None:
        """Tries so many identities; what passes a first look is laid in at full size and looked at more closely. None where nobody passes."""
        identities = search.propose(count)
        faces = self._drawer.draw(self._crop, self._reading, identities)
        appraisals = appraise(self._parts, self._crop, self._reading, faces, identities)
        entries = list(zip(identities, faces, appraisals, strict=True))
        tried = at_once(lambda entry: self._tried(*entry), entries, self._parts.threads)
        passed = None
        for candidate in tried if self._first else sorted(tried, key=lambda t: t.rank):
            if passed is None and candidate.appraisal.passes and self._audit.passes(candidate.similarity):
                passed = self._closely(candidate)
        found = [candidate for candidate in tried if candidate.is_face]
        self.seen += sum(candidate.appraisal.passes for candidate in found)
        search.judge([(candidate.identity, candidate.likeness) for candidate in found])
        return passed

    def _tried(self, identity: Identity, drawn: Floats, appraisal: Appraisal) -> _Tried:
        """A new face after a quick look; a thorough one where somebody who passed that did not pass the closer look."""
        pixels = self._laid(self._small, self._roughly(drawn, appraisal.blur), identity)
        if self._is_hard:
            there = self._audit.describe(pixels, self._small.face, round(self._shrinking * self._whole_px))
            similarity = self._audit.likeness(self._person_closely, there)
        else:
            similarity = self._audit.likeness(self._person, self._audit.describe(pixels, self._small.face, again=False))
        # What cannot be measured counts as the person.
        return _Tried(identity, drawn, pixels, 1.0 if similarity is None else similarity, appraisal)

    def _closely(self, tried: _Tried) -> Passed | None:
        """What passes once more, as a face that a detector finds, and then at full size with all its detail; it learns what is seen there."""
        self._ask_again(tried)
        there = self._audit.describe(tried.pixels, self._small.face)
        tried.is_face = self._audit.sees_face(there)
        if not tried.is_face or not self._passes(tried, self._audit.likeness(self._person, there)):
            return None
        detailed = self._drawer.detailed(self._place.pixels, self._place.matrix, self._reading, tried.drawn)
        region = self._laid(self._place, replace(detailed, face=blurred(detailed.face, tried.appraisal.blur)), tried.identity)
        closely = self._audit.describe(region, self._place.face, self._whole_px)
        if not self._passes(tried, self._audit.likeness(self._person_closely, closely)):
            self._is_hard = True
            return None
        return Passed(self._place.box, region, tried.similarity)

    def _ask_again(self, tried: _Tried) -> None:
        """Draws the same person once more, asked for what was missing in pose and expression; it stays as it was where that spoils it."""
        if tried.appraisal.shown is None:
            return
        asked = asked_again(self._reading, tried.appraisal.shown)
        faces = self._drawer.draw(self._crop, asked, [tried.identity])
        appraisal = appraise(self._parts, self._crop, self._reading, faces, [tried.identity], asked)[0]
        if appraisal.burden < tried.appraisal.burden:
            tried.drawn, tried.appraisal = faces[0], appraisal
            tried.pixels = self._laid(self._small, self._roughly(faces[0], appraisal.blur), tried.identity)

    def _roughly(self, drawn: Floats, blur: float) -> Detailed:
        return Detailed(blurred(drawn, blur), pasted_mask(self._reading.mask), self._small.matrix)

    def _passes(self, tried: _Tried, similarity: float | None) -> bool:
        tried.similarity = max(tried.similarity, 1.0 if similarity is None else similarity)
        return self._audit.passes(similarity)

    @staticmethod
    def _laid(place: _Place, face: Detailed, identity: Identity) -> Pixels:
        region = place.pixels.copy()
        lay(region, face.face, face.mask, face.matrix, np.random.default_rng(identity.seed))
        return region


class _Place:
    """The part of a photo that a new face is laid into, with the face and its crop as they lie there."""

    def __init__(self, photo: Pixels, face: Face, crop: Crop) -> None:
        margin = int(AUDITED_MARGIN * max(face.width, face.height))
        self.box = x0, y0, x1, y1 = region_of(crop.matrix, crop.size, photo.shape[1], photo.shape[0], margin)
        self.pixels, self.face = photo[y0:y1, x0:x1], shifted(face, -x0, -y0)
        self.matrix = within(crop.matrix, x0, y0)

    def smaller(self, factor: float) -> _Place:
        """The same, shrunk."""
        shrunk = copy(self)
        width, height = (max(1, round(n * factor)) for n in self.pixels.shape[1::-1])
        x, y = width / self.pixels.shape[1], height / self.pixels.shape[0]
        shrunk.pixels = np.asarray(cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        to_small = np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5]])
        shrunk.face = moved(self.face, to_small)
        linear = self.matrix[:, :2] / [x, y]
        shrunk.matrix = np.column_stack([linear, self.matrix[:, 2] - linear @ to_small[:, 2]])
        return shrunk
