"""What is thought of new faces while they still are canonical crops: do they resemble the person, and do they stand and look as they should?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.faces.second_opinion import LIMIT, WEIGHT
from masquerade.generation.brows import misfit
from masquerade.generation.eyes import dullness
from masquerade.generation.foresight import Foresight
from masquerade.generation.identity import Surroundings
from masquerade.generation.replacement import ReadBack, Reading
from masquerade.generation.search import Foresee
from masquerade.generation.sharpness import blurred, needed_blur
from masquerade.generation.signs import unsuited
from masquerade.generation.teeth import TEETH, toothless
from masquerade.masks import laid_over
from masquerade.parts import Parts
from masquerade.pipeline import at_once
from masquerade.regions import BROWS, EYES, GLASSES, HAIR, LOWER_LIP, MOUTH, NOSE, SKIN, UPPER_LIP
from masquerade.types import Crop, Floats, Identity, Pixels

UNITS = np.array([0.1, 0.1, 0.1, 0.05, 0.08, 0.03, 0.06, 0.06, 0.1, 0.1], np.float32)
"""Differences in the numbers of pose and expression that count alike: angles in radians, openings and lengths, gaze."""

BROKEN = 0.8
"""Mean difference in these units from which on a new face counts as none: of 360 on LFW's people two lie above it, neither fit to be seen."""

UNREADABLE = 0.6
"""Clarity below which a new face counts as none: in photos of profiles, out of focus, or in deep shadow faces crack, and the parser no longer reads
what was drawn; of 66 faces of LFW none lies below 0.67."""

AGREEMENT = 0.3
"""How much the difference counts beside cosines when new faces are ranked."""

ROUGH_FROM, ROUGHNESS = 0.05, 3.0
"""How much brightness varies from pixel to pixel of the skin, as a share of itself, without looking broken; and how much every bit beyond
counts. Faces with dark blotches and cracks lie above it; half of the real ones lie below 0.04, a tenth above 0.06."""

CLARITY = 2.0
"""How much it counts that a new face does not show clearly what was drawn."""

LOPSIDED_FROM, LOPSIDEDNESS = 0.06, 2.0
"""How much darker, as a logarithm, one eye with what surrounds it may be than the other, and how much every bit beyond counts: of 444 new faces
half lie above it; those far above have a dark patch for an eye."""

SIDE_LIGHT, FEWEST_SEEN = 0.7, 20
"""So much of the cheeks' difference is expected between the eyes, too; with fewer pixels of either nothing can be told."""

FAINT_FROM, FAINTNESS, FAINTEST = 0.055, 30.0, 0.045
"""How steep eyes and brows are at least, as a share of the face's brightness a pixel; how much every bit below counts; and below which a face counts
as none. Of 81 new faces of portraits the median is 0.078, a twentieth lies below the first; the one below the last had fog for eyes."""

UNSUITED_BROWS, UNSUITED_SIGNS, DULL_EYES, TOOTHLESS = 0.02, 0.02, 0.012, 0.03
"""How much every L* counts by which brows do not go with the hair; how much a beard or paint where the sex is in doubt, see
`masquerade.generation.signs`; how much every L* that the eyes' whites lack; and how much every unit that an
open mouth lacks of teeth, see `masquerade.generation.teeth`."""

BELONGING, AS_OWN = 0.08, 2.0
"""How much it counts, in logarithms of the odds, that a new face looks less as if it were its head's own than by so much."""

OTHER_SEX, PLAIN, OTHER_AGE, SPAN, OTHER_HAIR = 0.05, 1.5, 0.004, 6.0, 0.004
"""How much it counts that a new face will be taken for the other sex than the surroundings', in logarithms of the odds, where it is not taken for the
right one by so much; every year beyond so many that it will look older or younger; and every L* by which the hair there is lighter or darker than
what goes with it."""

FEATURES, FEATURES_REACH, EDGE_REACH = (BROWS, EYES, GLASSES, NOSE, MOUTH, UPPER_LIP, LOWER_LIP), 0.04, 0.02
"""Where skin is not looked at: so near to one of the person's features that a stranger's may lie there, and at the face's edge, in shares of
the side."""


@dataclass(frozen=True)
class Appraisal:
    """What is thought of one new face.

    Attributes:
        resemblance: to the person, by the second opinion, -1 to 1; 0 where there is none.
        disagreement: mean difference of its pose and expression from the ones wanted, in `UNITS`.
        roughness: how much the skin's brightness varies from pixel to pixel, as a share of itself.
        clarity: how clearly it shows what was drawn, 0 to 1.
        lopsidedness: how much darker one eye is than the other, beyond what the light on the cheeks explains.
        shown: its pose and expression, ten numbers; None where they are not told.
        distinctness: how steep eyes and brows are, as a share of the face's brightness a pixel; None where none are seen.
        brows: how much lighter than the skin they are, in L* of CIELAB; None where none are seen.
        beard, paint: as `masquerade.generation.signs` tells; None where they are not seen.
        whites: how much lighter than the skin the lightest of the eyes are, in L* of CIELAB; None where too little is seen.
        teeth: how far what is light in an open mouth is from teeth; None where it is shut.
        brows_misfit: how far brows are from what goes with the hair; see `masquerade.generation.brows`.
        signs_misfit: how far beard and paint go beyond what suits surroundings of doubtful sex.
        dullness: how far the eyes' whites are from being seen; see `masquerade.generation.eyes`.
        toothless: how far an open mouth is from showing teeth.
        blur: by how many pixels of its crop it must be blurred to be as soft as what was there.
        belonging: logarithm of the odds that it looks like its head's own, so blurred; see `masquerade.networks.belonging`.
    """

    resemblance: float
    disagreement: float
    roughness: float = 0.0
    clarity: float = 1.0
    lopsidedness: float = 0.0
    shown: Floats | None = None
    distinctness: float | None = None
    brows: float | None = None
    beard: float | None = None
    paint: float | None = None
    whites: float | None = None
    teeth: float | None = None
    brows_misfit: float = 0.0
    signs_misfit: float = 0.0
    dullness: float = 0.0
    toothless: float = 0.0
    blur: float = 0.0
    belonging: float = AS_OWN

    @property
    def passes(self) -> bool:
        """Whether nothing speaks against it so far."""
        is_faint = self.distinctness is not None and self.distinctness < FAINTEST
        return self.resemblance < LIMIT and self.disagreement < BROKEN and self.clarity >= UNREADABLE and not is_faint

    @property
    def likeness(self) -> float:
        """What the second opinion adds to the audit's cosine, and what pose and expression do: who looks elsewhere seems unlike for nothing."""
        return WEIGHT * self.resemblance + AGREEMENT * self.disagreement

    @property
    def unfit(self) -> float:
        """What speaks against it because it does not look like its head's own; a part of `burden`."""
        return BELONGING * max(AS_OWN - self.belonging, 0.0)

    @property
    def burden(self) -> float:
        """What speaks against it, to be added to the audit's cosine."""
        ugliness = ROUGHNESS * max(self.roughness - ROUGH_FROM, 0.0) + CLARITY * (1 - self.clarity)
        faintness = 0.0 if self.distinctness is None else FAINTNESS * max(FAINT_FROM - self.distinctness, 0.0)
        eyes = faintness + LOPSIDEDNESS * max(self.lopsidedness - LOPSIDED_FROM, 0.0)
        details = DULL_EYES * self.dullness + TOOTHLESS * self.toothless
        misfits = UNSUITED_BROWS * self.brows_misfit + UNSUITED_SIGNS * self.signs_misfit
        return self.likeness + ugliness + eyes + details + misfits + self.unfit


def appraise(
    parts: Parts,
    crop: Crop,
    reading: Reading,
    faces: Floats,
    identities: Sequence[Identity] | None = None,
    asked: Reading | None = None,
    gain: float = 1.0,
) -> list[Appraisal]:
    """Looks at new faces in their crop.

    Args:
        crop: the person.
        reading: what was wanted.
        faces: K x S x S x 3 float32 RGB in 0 to 255.
        identities: who they are; without, nobody asks how clear they are.
        asked: what they were asked for, where that was something else than what is wanted.
        gain: how many times the crop was brightened.
    """
    drawer = parts.replacement
    assert drawer is not None
    laid = laid_over(crop.pixels, faces, reading.mask)
    blurs = [needed_blur(crop.pixels, face, reading.mask, gain) for face in faces]
    soft = laid_over(crop.pixels, np.stack([blurred(face, blur) for face, blur in zip(faces, blurs, strict=True)]), reading.mask)
    looks: list[Callable[[], Floats]] = [
        lambda: drawer.conditions(laid),
        lambda: np.zeros(len(faces), np.float32) if parts.second is None else parts.second(crop.pixels, laid),
        lambda: np.full(len(faces), AS_OWN, np.float32) if parts.belonging is None else parts.belonging(soft),
    ]
    shown, resemblances, belonging = at_once(lambda look: look(), looks, parts.threads)
    wanted = reading.condition[: len(UNITS)]
    disagreements = np.mean(np.abs(shown - wanted) / UNITS, 1)
    skin = _plain_skin(reading.parsing)
    roughness, lopsidedness = [_roughness(face, skin) for face in laid], _lopsidedness(laid, reading.parsing, skin)
    back = drawer.read_back(laid, asked or reading, identities) if identities else [ReadBack(1.0)] * len(laid)
    # What is not seen suits.
    brows, beard, paint, whites = (np.array([getattr(b, name) or 0.0 for b in back], np.float32) for name in ("brows", "beard", "paint", "whites"))
    brows_misfits = np.where([b.brows is None for b in back], 0, misfit(brows, reading.around.hair))
    signs_misfits, dull = unsuited(beard, paint, reading.around.female), dullness(whites)
    lacking = toothless(np.array([TEETH if b.teeth is None else b.teeth for b in back], np.float32))
    distinctness = _distinctness(faces, reading)
    return [
        Appraisal(
            resemblance=float(resemblances[k]),
            disagreement=float(disagreements[k]),
            roughness=roughness[k],
            clarity=back[k].clarity,
            lopsidedness=lopsidedness[k],
            shown=shown[k],
            distinctness=distinctness[k],
            brows=back[k].brows,
            beard=back[k].beard,
            paint=back[k].paint,
            whites=back[k].whites,
            teeth=back[k].teeth,
            brows_misfit=float(brows_misfits[k]),
            signs_misfit=float(signs_misfits[k]),
            dullness=float(dull[k]),
            toothless=float(lacking[k]),
            blur=blurs[k],
            belonging=float(belonging[k]),
        )
        for k in range(len(faces))
    ]


def foresee_with(
    foresight: Foresight | None,
    person: Floats | None,
    around: Surroundings,
    *,
    likeness: float,
    commonness: float = 0.0,
    contrast: float = 0.0,
    distinctness: float = 0.0,
    brows: float = UNSUITED_BROWS,
    fit: float = 1.0,
) -> Foresee | None:
    """What will speak against identities for one person, as far as it can be told before they are drawn; to be compared only.

    Args:
        foresight: None where there is none.
        person: SFace's unit vector, None where it is not known.
        around: what is known of the surroundings.
        likeness, commonness, contrast, distinctness: how much these count beside what `Appraisal.burden` knows of.
        brows: how much every L* counts by which they do not go with the hair.
        fit: how much it counts, beside what it does in photos, that they will not look like the head's own, and that sex, age and hair are others
            than those of the surroundings.

    Returns:
        A function from K identities to K numbers, or None where nothing can be told.
    """
    if foresight is None or person is None:
        return None

    def burden(identities: Sequence[Identity]) -> Floats:
        f = foresight(identities, person)
        beside = commonness * f.commonness + AGREEMENT * f.disagreement + ROUGHNESS * f.roughness - CLARITY * f.clarity
        eyes = brows * misfit(f.brows, around.hair) - distinctness * f.distinctness
        signs = UNSUITED_SIGNS * unsuited(f.beard, f.paint, around.female)
        details = DULL_EYES * dullness(f.whites) + TOOTHLESS * toothless(f.teeth)
        others = OTHER_SEX * other_sex(f.woman, around.female) + OTHER_AGE * other_age(f.years, around.age)
        unfit = others + OTHER_HAIR * other_hair(f.hair, around.hair) - BELONGING * f.belonging
        looks = beside + contrast * f.contrast + eyes + signs + details
        return np.asarray(likeness * f.likeness + looks + fit * unfit, np.float32)

    return burden


def other_sex(woman: Floats, female: float | None) -> Floats:
    """How far faces are from being taken for the sex of their surroundings: K numbers, 0 where they are by `PLAIN`, or where either sex will do.

    Args:
        woman: logarithm of the odds that they are taken for a woman, K.
        female: probability that the surroundings are a woman's.
    """
    if female is None:
        return np.zeros_like(woman)
    return np.asarray(female * np.maximum(PLAIN - woman, 0) + (1 - female) * np.maximum(PLAIN + woman, 0), np.float32)


def other_age(years: Floats, age: float | None) -> Floats:
    """By how many years more than `SPAN` faces look older or younger than their surroundings: K numbers."""
    return np.zeros_like(years) if age is None else np.asarray(np.maximum(np.abs(years - age) - SPAN, 0), np.float32)


def other_hair(goes: Floats, hair: float | None) -> Floats:
    """By how much the hair that goes with faces is lighter or darker than what is there, in L* of CIELAB: K numbers."""
    return np.zeros_like(goes) if hair is None else np.asarray(np.abs(goes - hair), np.float32)


def contrast_of(face: Floats, mask: Floats) -> float:
    """Mean slope of the brightness, in grey levels a pixel, of S x S x 3 RGB in 0 to 255 where the mask S x S is."""
    brightness = cv2.GaussianBlur(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    slope = np.hypot(cv2.Sobel(brightness, cv2.CV_32F, 1, 0), cv2.Sobel(brightness, cv2.CV_32F, 0, 1)) / 8
    return float((slope * mask).sum() / max(float(mask.sum()), 1.0))


def _plain_skin(parsing: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a new face has skin and nothing else, in all likelihood: S x S."""
    elsewhere = _grown(np.isin(parsing, FEATURES), FEATURES_REACH) | _grown(~np.isin(parsing, (*FEATURES, SKIN)), EDGE_REACH)
    return np.asarray((parsing == SKIN) & ~elsewhere)


def _grown(mask: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """A mask S x S, wider by a share of its side."""
    width = 2 * round(reach * len(mask)) + 1
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((width, width), np.uint8)) > 0)


def _lopsidedness(faces: Pixels, parsing: NDArray[np.uint8], skin: NDArray[np.bool_]) -> list[float]:
    """See `Appraisal`, for K faces in a crop whose person had their eyes as `parsing` says; 0 where they were not seen."""
    eyes = parsing == EYES
    row, column = np.nonzero(eyes)
    if not len(row):
        return [0.0] * len(faces)
    down, across = np.indices(parsing.shape)
    left = across < np.median(column)
    around, cheeks = _grown(eyes, FEATURES_REACH) & ~np.isin(parsing, (BROWS, GLASSES, HAIR)), skin & (down > row.mean())
    parts = [around & left, around & ~left, cheeks & left, cheeks & ~left]
    if min(part.sum() for part in parts) < FEWEST_SEEN:
        return [0.0] * len(faces)
    brightness = [cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32) for face in faces]
    light = np.log([[b[part].mean() + 1 for part in parts] for b in brightness])
    return [float(d) for d in np.abs(light[:, 0] - light[:, 1] - SIDE_LIGHT * (light[:, 2] - light[:, 3]))]


def _distinctness(faces: Floats, reading: Reading) -> list[float | None]:
    """See `Appraisal`, for K faces in a crop whose person had their eyes and brows as the reading says."""
    features = np.isin(reading.parsing, (EYES, BROWS))
    if features.sum() < FEWEST_SEEN:
        return [None] * len(faces)
    around = _grown(features, FEATURES_REACH).astype(np.float32)
    return [contrast_of(face, around) / max(_brightness(face, reading.mask), 1.0) for face in faces]


def _brightness(face: Floats, mask: Floats) -> float:
    return float((cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) * mask).sum() / max(float(mask.sum()), 1.0))


def _roughness(face: Pixels, skin: NDArray[np.bool_]) -> float:
    """See `Appraisal`; 0 where there is hardly any skin."""
    if skin.sum() < 200:
        return 0.0
    brightness, share = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32), skin.astype(np.float32)

    def smooth(sigma: float) -> Floats:
        return np.asarray(cv2.GaussianBlur(brightness * share, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(share, (0, 0), sigma), 1e-3), np.float32)

    return float(np.abs(smooth(1) - smooth(4))[skin].mean() / max(float(brightness[skin].mean()), 1.0))
