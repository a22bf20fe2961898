"""Chooses a person's new face for a whole clip: somebody who does not resemble them in any of the frames in which they are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from masquerade.appraisal import Appraisal, appraise
from masquerade.audit import Audit
from masquerade.enlarging import lay
from masquerade.exposure import brightened, darkened, gain_of
from masquerade.faces.people import Person, Portrait
from masquerade.generation.identity import Surroundings
from masquerade.generation.replacement import Reading
from masquerade.generation.search import Search
from masquerade.limits import FITTING_ROUNDS
from masquerade.masks import pasted_mask
from masquerade.parts import Parts
from masquerade.types import Crop, Floats, Identity

ROUNDS, TRIED, SHORTLISTED = 16, 8, 2
"""So many times so many identities are tried on the first of a person's looks, and so many of them on all."""

PATIENCE, SMALL_PX, SMALL_ROUNDS = 6, 48, 3
"""Nobody better in so many rounds: then the best so far is taken. Of faces that are never larger than so many pixels nobody sees much, and so
many rounds do."""

FIRST_LOOKS = 2
"""How many looks those are."""

BEST_LOOKS = 2
"""So many of the best portraits are tried on, beside the fair sample of all frames."""

FRAME_ALLOWANCE = 0.02
"""How much more alike a frame may be to the original frame, which shares its pose, light and blur, than to the mean of the portraits."""

CHOICE_MARGIN = 0.16
"""On these looks a new face should stay so far below the audit's limit: in other frames it may look that much more like the person."""

DANGER = 10.0
"""How much every bit of likeness above that counts, beside what else speaks against an identity."""

RESTLESS = 1.0
"""How much it counts that a new face has more contrast than the person's, in shares of it: where brows, stubble and glasses are darker, every
error of the motion shows, and the face flickers (of six faces for one clip: contrast 1.09 to 1.37, flicker 1.09 to 1.35, in this order)."""

GOOD_ENOUGH = 0.45
"""An identity with a lower rank is taken at once."""


@dataclass(frozen=True, eq=False)
class _Look:
    """Somebody in a frame: the crop as it is and brightened by `gain`, what was read in it, and the vectors of the person there."""

    portrait: Portrait
    crop: Crop
    gain: float
    reading: Reading
    known: Floats | None


def resemblance(audit: Audit, mean: Floats | None, frame: Floats | None, there: Floats | None) -> float | None:
    """How much a new face resembles a person in a clip: the mean of their looks, or the original frame beyond its allowance.

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
    return to_frame - FRAME_ALLOWANCE if to_mean is None else max(to_mean, to_frame - FRAME_ALLOWANCE)


class Chooser:
    """Tries identities on the looks that there are of a person.

    Args:
        parts: what draws and recognises.
        audit: compares new faces with people.
        temporal: whether the network for clips draws.
    """

    def __init__(self, parts: Parts, audit: Audit, temporal: bool) -> None:
        assert parts.replacement is not None
        self._parts, self._drawer, self._audit, self._temporal = parts, parts.replacement, audit, temporal

    def __call__(self, person: Person, rng: np.random.Generator) -> Identity:
        """The identity that is least like the person in their looks."""
        looks = [look for portrait in [*person.portraits[:BEST_LOOKS], *person.views] if (look := self._look(portrait)) is not None]
        if not looks:
            return self._drawer.bank.draw(Surroundings(None, 0.5), rng)
        best: tuple[float, Identity] | None = None
        around = looks[0].reading.around
        search = Search(lambda: self._drawer.bank.draw(around, rng), rng)
        largest = max(max(look.portrait.face.width, look.portrait.face.height) for look in looks)
        better = 0
        for attempt in range(ROUNDS if largest >= SMALL_PX else SMALL_ROUNDS):
            if attempt == FITTING_ROUNDS:
                around = replace(around, age=None)
            judged = self._judged(search.propose(TRIED), looks, person.embedding, np.inf if best is None else best[0])
            search.judge([(identity, cost) for cost, identity in judged])
            least = min(judged, key=lambda entry: entry[0])
            if best is None or least[0] < best[0]:
                best, better = least, attempt
            if best[0] < GOOD_ENOUGH or attempt - better >= PATIENCE:
                break
        assert best is not None
        return best[1]

    def _look(self, portrait: Portrait) -> _Look | None:
        crop = self._drawer.crop(portrait.pixels, portrait.face, self._drawer.lean(portrait.pixels, portrait.face))
        gain = gain_of(crop)
        lit = brightened(crop, gain)
        reading = self._drawer.read(lit)
        return None if reading is None else _Look(portrait, lit, gain, reading, self._audit.describe(portrait.pixels, portrait.face))

    def _judged(self, identities: list[Identity], looks: list[_Look], person: Floats | None, bound: float) -> list[tuple[float, Identity]]:
        """What speaks against each, between the mean and the worst of the looks; those who do worse than the others or the bound are given up."""
        totals, worst, ranks = (np.zeros(len(identities)) for _ in range(3))
        left = np.arange(len(identities))
        for number, look in enumerate(looks, 1):
            tried = [identities[i] for i in left]
            faces = self._drawer.draw(look.crop, look.reading, tried, None, self._temporal)
            appraisals = appraise(self._parts, look.crop, look.reading, faces, tried)
            costs = np.array([self._cost(look, face, appraisal, person) for face, appraisal in zip(faces, appraisals, strict=True)])
            totals[left] += costs
            worst[left] = np.maximum(worst[left], costs)
            ranks[left] = (totals[left] / number + worst[left]) / 2
            if number >= FIRST_LOOKS:
                left = left[np.argsort(ranks[left], kind="stable")[:SHORTLISTED]]
                left = left[ranks[left] < bound]
            if not len(left):
                break
        return [(float(rank), identity) for rank, identity in zip(ranks, identities, strict=True)]

    def _cost(self, look: _Look, drawn: Floats, appraisal: Appraisal, person: Floats | None) -> float:
        """How little a new face is fit to stand for its person in a look: likeness beyond what is safe, and what else speaks against it."""
        pixels = look.portrait.pixels.copy()
        lay(pixels, darkened(drawn, look.gain), pasted_mask(look.reading.mask), look.crop.matrix, np.random.default_rng(0))
        similarity = resemblance(self._audit, person, look.known, self._audit.describe(pixels, look.portrait.face))
        beyond = (1.0 if similarity is None else similarity) - (self._audit.limit - CHOICE_MARGIN)
        restless = _contrast(drawn, look.reading.mask) / max(_contrast(look.crop.pixels.astype(np.float32), look.reading.mask), 1e-3) - 1
        return max(appraisal.burden, 0.0) + DANGER * max(beyond, 0.0) + RESTLESS * max(restless, 0.0)


def _contrast(face: Floats, mask: Floats) -> float:
    """Mean slope of the brightness, in grey levels a pixel, of S x S x 3 RGB in 0 to 255 where the mask S x S is."""
    brightness = cv2.GaussianBlur(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    slope = np.hypot(cv2.Sobel(brightness, cv2.CV_32F, 1, 0), cv2.Sobel(brightness, cv2.CV_32F, 0, 1)) / 8
    return float((slope * mask).sum() / max(float(mask.sum()), 1.0))
