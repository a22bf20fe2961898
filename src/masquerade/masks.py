"""The part of a canonical crop that is replaced."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.regions import BACKGROUND, BROWS, CLOTH, EARS, EYES, GLASSES, INNER, LOWER_LIP, MOUTH, NECK, NOSE, SKIN, UPPER_LIP
from masquerade.types import Floats, Pixels

REPLACED = (SKIN, NOSE, GLASSES, EYES, BROWS, EARS, MOUTH, UPPER_LIP, LOWER_LIP)
GROW = 0.024
"""How far the mask reaches over the parsed face, in shares of the crop's side: the parser's edges are not exact."""

BLUR = 0.012
"""Sigma of the mask's soft edge, in shares of the crop's side."""


def reach(side: int) -> int:
    """How far the mask grows, in pixels of a crop of this side."""
    return round(GROW * side)


CENTRE, REACH = (0.5, 0.52), (0.44, 0.56)
"""Centre and half axes of the ellipse that one's own face cannot leave, in shares of the crop's side."""


AVERAGE_REACH = (0.27, 0.35)
"""Half axes of the average face, from forehead to chin."""

HEART_REACH, MIDDLE_REACH = (0.2, 0.25), (0.3, 0.35)
"""Half axes of what the face must touch to be the crop's own, and of what must lie inside the picture."""


def ellipse(side: int, reach: tuple[float, float]) -> NDArray[np.bool_]:
    """An ellipse around the middle of the face, S x S, with half axes in shares of the crop's side."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    return np.asarray(((x - CENTRE[0]) / reach[0]) ** 2 + ((y - CENTRE[1]) / reach[1]) ** 2 <= 1)


def own_face(parsing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leaves only the face that the crop is about: a neighbour's face in the same crop becomes background.

    Args:
        parsing: merged classes, S x S uint8.

    Returns:
        The same with every other face's pixels as background.
    """
    side = parsing.shape[0]
    face = np.isin(parsing, REPLACED)
    reachable, heart = ellipse(side, REACH), ellipse(side, HEART_REACH)
    near = (face & reachable).astype(np.uint8)
    _, parts = cv2.connectedComponents(near)
    own = np.isin(parts, np.unique(parts[heart & (near > 0)]))
    # Ears may hang on by a hair: parts that touch nothing but lie inside the reach belong to the face as well when they are ears.
    own |= reachable & (parsing == EARS)
    return np.where(face & ~own, np.uint8(BACKGROUND), parsing)


DOUBTED, LEAST_HOLE = 0.15, 20
"""What lies wholly within a face, and to the parser may be part of it with this probability, is skin: shadows on faces bent down were taken for
something before them, and the person's own eyes were seen there. Of 356 things pasted into faces 83% lie below it, both holes of 500 photos above; of
fewer pixels than the second holes are specks."""


def parsed(shares: Floats) -> NDArray[np.uint8]:
    """The likeliest class at every pixel, but skin where the parser doubts what it takes for something before a face.

    Args:
        shares: probabilities of the merged classes, 14 x S x S.

    Returns:
        S x S uint8.
    """
    parsing: NDArray[np.uint8] = shares.argmax(0).astype(np.uint8)
    inner, may_be = np.isin(parsing, INNER), shares[list(INNER)].sum(0)
    _, parts, stats, _ = cv2.connectedComponentsWithStats((~inner).astype(np.uint8), connectivity=4)
    x, y, width, height, area = stats.T
    within = (x > 0) & (y > 0) & (x + width < len(parsing)) & (y + height < len(parsing)) & (area >= LEAST_HOLE)
    for number in np.flatnonzero(within[1:]) + 1:
        hole = parts == number
        if float(may_be[hole].mean()) >= DOUBTED:
            parsing[hole & np.isin(parsing, (BACKGROUND, NECK, CLOTH))] = SKIN
    return parsing


def without_specks(parsing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Makes skin of what the parser takes for something else amid a face, where the mask covers it all the same: there background was painted into
    the face, as white spots.

    Args:
        parsing: merged classes, S x S uint8.

    Returns:
        The same; gaps wider than twice the mask's `reach` and its soft edge stay, and so does what is beside an ear.
    """
    inner = np.isin(parsing, INNER)
    width = 2 * reach(parsing.shape[0]) + 3
    closed = cv2.morphologyEx(inner.astype(np.uint8), cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))) > 0
    specks = closed & np.isin(parsing, (BACKGROUND, NECK, CLOTH))
    return np.where(specks, np.uint8(SKIN), parsing)


def behind_glasses(worn: NDArray[np.uint8], bare: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gives faces with glasses the eyes that they have without: hand-labelled maps show glasses where eyes are, and drawn ones, and faces that were
    drawn from these, had one eye or none.

    Args:
        worn: K x S x S, maps of new faces with glasses.
        bare: K x S x S, the same faces without.

    Returns:
        `worn` with the eyes of `bare`, as far as they lie behind the glasses, and no others.
    """
    worn = np.where(worn == EYES, np.uint8(GLASSES), worn)
    return np.where((worn == GLASSES) & (bare == EYES), np.uint8(EYES), worn)


def average_outline(side: int) -> NDArray[np.bool_]:
    """Where the average face lies in a canonical crop, S x S."""
    return ellipse(side, AVERAGE_REACH)


def share_inside(inside: NDArray[np.bool_]) -> float:
    """How much of the middle of a crop lies inside the picture, 0 to 1.

    Args:
        inside: S x S, as in `types.Crop`.
    """
    return float(inside[ellipse(len(inside), MIDDLE_REACH)].mean())


def replaced_mask(parsing: NDArray[np.uint8]) -> Floats:
    """Soft mask of face and ears.

    Args:
        parsing: merged classes, S x S uint8.

    Returns:
        S x S float32, 1 where the picture is replaced, 0 where it stays.
    """
    side = parsing.shape[0]
    face = np.isin(parsing, REPLACED).astype(np.uint8)
    # Specks of face in hair or background are the parser's doubts, holes in the face are too: only large ones are objects.
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    face = np.asarray(cv2.morphologyEx(face, cv2.MORPH_OPEN, kernel), np.uint8)
    width = 2 * reach(side) + 1
    grown = cv2.dilate(face, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return np.asarray(cv2.GaussianBlur(grown.astype(np.float32), (0, 0), BLUR * side), np.float32)


PASTED_FROM, PASTED_FROM_IN_CLIPS = 0.7, 0.88
"""Values of the mask below this are left as they were when a face is pasted. With the first jaws have a pale rim in clips; with the second, half a
pixel outside the parsed face, more of the person's outline stays: dlib accepted 7 instead of 5 of 121 faces in photos."""


def pasted_mask(mask: Floats, start: float = PASTED_FROM) -> Floats:
    """The tighter mask through which a face is pasted.

    HarmonizationNet works on a broad rim around the face. What it draws beyond the face's edge is background, and coarser than the photo's
    own: most of that rim is left as it was.

    Args:
        mask: from `replaced_mask`.
        start: the value from which on anything is pasted.
    """
    return np.asarray(np.clip((mask - start) / (1 - start), 0, 1), np.float32)


def laid_over(crop: Pixels, faces: Floats, mask: Floats) -> Pixels:
    """New faces, (K x) S x S x 3 float32 RGB in 0 to 255, pasted over a crop where the mask of `replaced_mask` lies; uint8 of the same shape."""
    cover = pasted_mask(mask)[..., None]
    return np.clip(np.rint(cover * faces + (1 - cover) * crop), 0, 255).astype(np.uint8)


SNAP_REACH, SNAP_EDGE = 0.024, 0.02
"""How far edges are looked for, in shares of the crop's side, and how strong they must be: standard deviation of the brightness, 0 to 1."""


def snapped(mask: Floats, photo: Pixels) -> Floats:
    """A soft mask whose edges lie where the photo's do, as far as it has any there: a guided filter (He et al. 2010).

    Args:
        mask: S x S float32, 0 to 1.
        photo: S x S x 3 uint8, what is replaced.

    Returns:
        S x S float32; nothing where the mask was zero.
    """
    width = 2 * round(SNAP_REACH * len(mask)) + 1
    guide = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)

    def mean(x: Floats) -> Floats:
        return np.asarray(cv2.blur(x, (width, width)), np.float32)

    brightness, cover = mean(guide), mean(mask)
    slope = (mean(guide * mask) - brightness * cover) / (mean(guide * guide) - brightness**2 + np.float32(SNAP_EDGE**2))
    followed = mean(slope) * guide + mean(cover - slope * brightness)
    return np.where(mask > 0, np.clip(followed, 0, 1), np.float32(0)).astype(np.float32)
