"""One face's way through the networks: parse, new identity, new shape, generate, harmonise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masquerade.exposure import brightened, gain_of
from masquerade.faces.alignment import canonical_matrix, take_crop
from masquerade.faces.completing import completed, faded
from masquerade.faces.landmarks import Landmarks, condition_of
from masquerade.faces.placing import UPRIGHT, Placement, placed, placement_of
from masquerade.faces.scene import without_face
from masquerade.generation.anonymization import Anonymization
from masquerade.generation.brows import brows_of, hair_of
from masquerade.generation.clarity import clarity
from masquerade.generation.colours import gray, is_gray, toned
from masquerade.generation.eyes import whites_against_skin
from masquerade.generation.harmonization import Harmonization, TemporalHarmonization
from masquerade.generation.identity import IdentityBank, Surroundings, whites_of
from masquerade.generation.lab import lab_of
from masquerade.generation.light import Light, light_of, lit
from masquerade.generation.segmentation import Segmentation
from masquerade.generation.shape import Shape
from masquerade.generation.signs import beard_of, paint_of
from masquerade.generation.superresolution import Detailed, SuperResolution
from masquerade.generation.surroundings import Onlookers
from masquerade.generation.teeth import teeth_of
from masquerade.generation.tensors import from_network, to_network
from masquerade.limits import LEAST_VISIBLE
from masquerade.masks import average_outline, behind_glasses, own_face, parsed, replaced_mask, without_specks
from masquerade.pipeline import at_once
from masquerade.regions import EARS, GLASSES, INNER, NECK, NOSE, SKIN
from masquerade.types import Crop, Face, Floats, Identity, Pixels

ShapeSource = Literal["drawn", "own"]

SIZE = 128
"""Side of the canonical crop that the networks work on."""

PLACED_IN = 4
"""A face is placed in at most so many steps, each of which sees better."""

AT_ONCE = 2
"""So many faces are drawn together: more take more memory and no less time."""

GLASSES_SHARE = 0.008
"""Share of the crop that glasses must cover to count as worn: less are the parser's doubts, and put glasses on people without any."""

SMALLEST_FACE_SHARE = 0.06
"""A crop of which the parser calls less than this share a face shows none that could be replaced."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What is known of a crop before a new face is drawn: all that the new face may depend on.

    Attributes:
        parsing: merged classes, 128 x 128 uint8.
        mask: what will be replaced, 128 x 128 float32.
        condition: 11 float32, pose and expression, and whether glasses are worn.
        around: what the choice of an identity may depend on.
        light: how it falls on the face, None where that cannot be told.
        visible: how much of the average face's outline, as far as it lies inside the picture, is face here, 0 to 1.
    """

    parsing: NDArray[np.uint8]
    mask: Floats
    condition: Floats
    around: Surroundings
    visible: float = 1.0
    light: Light | None = None

    @property
    def glasses(self) -> bool:
        """Whether glasses are worn."""
        return bool(self.condition[-1])


class Measured(NamedTuple):
    """What can be steadied over time before it is read: shares of the classes, 14 x 128 x 128, ten numbers of pose and expression, what would
    lay the face where it should lie in its crop, and how many pixels of earrings are seen."""

    shares: Floats
    condition: Floats
    placement: Placement
    earrings: int = 0


class Rough(NamedTuple):
    """Rough faces: the parsing maps that they were drawn by, K x 128 x 128 uint8, and K x 3 x 128 x 128 float32 in [-1, 1]."""

    maps: NDArray[np.uint8]
    faces: Floats


class ReadBack(NamedTuple):
    """How clearly a new face shows what was drawn (see `masquerade.generation.clarity`), how much lighter than the skin its brows are, its
    beard and paint (see `masquerade.generation.signs`), how much lighter than the skin its
    eyes are, and how far from teeth what is light in its mouth; None where that cannot be told."""

    clarity: float
    brows: float | None = None
    beard: float | None = None
    paint: float | None = None
    whites: float | None = None
    teeth: float | None = None


class Replacement:
    """All networks that draw faces, loaded once.

    Args:
        threads: how many faces are drawn at once.
        shape: see `masquerade.anonymizer.Anonymizer`.
    """

    def __init__(self, threads: int = 2, shape: ShapeSource = "drawn") -> None:
        self._segmentation, self._landmarks, self.bank = Segmentation(1), Landmarks(1), IdentityBank()
        self._onlookers = Onlookers(1)
        self._shape, self._anonymization, self._harmonization = Shape(1), Anonymization(1), Harmonization(1)
        self._source, self._threads = shape, threads

    def placement(self, photo: Pixels, face: Face, upright: float = UPRIGHT) -> Placement:
        """How a face's crop must be moved so that the face lies in it as it should; see `masquerade.faces.placing`.

        Args:
            upright: by how much a head may lean, in radians.
        """
        now = Placement()
        for _ in range(PLACED_IN):
            crop = self.crop(photo, placed(face, now))
            there = placement_of(self._landmarks(brightened(crop, gain_of(crop)).pixels))
            wanted = now.then(there).needed(upright)
            if wanted.is_near(now):
                return now
            now = wanted
        return Placement()

    def crop(self, photo: Pixels, face: Face) -> Crop:
        """Cuts a face's canonical crop, 128 x 128, out of a photo; see `masquerade.faces.completing` for what lies beyond its edge."""
        return completed(take_crop(photo, canonical_matrix(face, SIZE), SIZE), face)

    def read(self, crop: Crop, sure: bool = False, dark: bool = False, scene: Crop | None = None) -> Reading | None:
        """Parses a crop of 128 x 128; see `reading`."""
        measured = self.measure(crop)
        return self.reading(crop, measured.shares, measured.condition, sure, dark, scene, measured.earrings)

    def measure(self, crop: Crop) -> Measured:
        """Looks at a crop of 128 x 128."""
        points = self._landmarks(crop.pixels)
        shares, earrings = self._segmentation.shares_and_earrings(crop)
        return Measured(shares, condition_of(points), placement_of(points), earrings)

    def conditions(self, faces: Pixels) -> Floats:
        """Pose and expression of faces in canonical crops: K x 128 x 128 x 3 uint8 to K x 10."""
        return np.stack([condition_of(points) for points in self._landmarks.batch(faces)])

    def reading(
        self,
        crop: Crop,
        shares: Floats,
        condition: Floats,
        sure: bool = False,
        dark: bool = False,
        scene: Crop | None = None,
        earrings: int = 0,
    ) -> Reading | None:
        """A reading from what `measure` gave; None where the parser sees no face.

        Args:
            sure: that there is a face, though the parser does not see it, out of focus or in the dark: then one of average outline is assumed.
            dark: that the crop was taken in the dark, where what the parser does not see is not hidden: one of average outline is assumed
                also where little is seen.
            scene: the crop within what surrounds it (see `masquerade.faces.scene`), where somebody is to be chosen who fits there: without, of the
                surroundings only the skin is looked at.
            earrings: how many pixels show some; looked at with a scene only.
        """
        outline = average_outline(len(crop.pixels))
        parsing = without_specks(own_face(parsed(shares)))
        is_seen = np.isin(parsing, INNER).mean() >= SMALLEST_FACE_SHARE
        if not is_seen and not sure:
            return None
        if not is_seen or (dark and _visible(parsing, outline & crop.inside) < LEAST_VISIBLE):
            parsing = np.where(outline, np.uint8(SKIN), parsing)
        glasses = float((parsing == GLASSES).mean() > GLASSES_SHARE)
        skin = _skin(crop, parsing)
        around = Surroundings(skin, None) if scene is None else self._look_around(crop, scene, parsing, skin, earrings)
        visible = _visible(parsing, outline & crop.inside)
        light = light_of(crop.pixels, parsing, crop.inside)
        return Reading(parsing, replaced_mask(parsing), np.append(condition, glasses).astype(np.float32), around, visible, light)

    def _look_around(self, crop: Crop, scene: Crop, parsing: NDArray[np.uint8], skin: Floats | None, earrings: int) -> Surroundings:
        female, age = self._onlookers(without_face(scene, parsing), crop.pixels, parsing, earrings)
        return Surroundings(skin, female, age, whites_of(crop.pixels, parsing), hair_of(lab_of(crop.pixels), parsing))

    @cached_property
    def _temporal(self) -> TemporalHarmonization | None:
        """Loaded with the first clip."""
        return TemporalHarmonization(1) if TemporalHarmonization.shipped() else None

    @cached_property
    def _superresolution(self) -> SuperResolution:
        """Loaded with the first photo: clips do without."""
        return SuperResolution(self._threads)

    def draw(
        self,
        crop: Crop,
        reading: Reading,
        identities: Sequence[Identity],
        previous: tuple[Floats, Floats] | None = None,
        temporal: bool = False,
    ) -> Floats:
        """New faces for a crop, one for each identity: `rough`, then `harmonised`.

        Args:
            crop: the face that is replaced.
            reading: what is known of it.
            identities: K people.
            previous, temporal: as for `harmonised`.

        Returns:
            K x 128 x 128 x 3 float32 RGB in 0 to 255.
        """
        parts = [identities[start : start + AT_ONCE] for start in range(0, len(identities), AT_ONCE)]

        def drawn(part: Sequence[Identity]) -> Floats:
            return self.harmonised(crop, reading, self.rough(reading, part), previous, temporal)

        return np.concatenate(at_once(drawn, parts, self._threads))

    def rough(self, reading: Reading, identities: Sequence[Identity]) -> Rough:
        """What AnonymizationNet makes of a reading and K identities; no pixel of the person enters."""
        maps, skin = self._maps(reading, identities), reading.around.skin
        faces = self._anonymization(maps, np.stack([i.texture for i in identities]), reading.condition[8:10])
        if skin is not None:
            # HarmonizationNet has to change less then, and what it changes much it blotches.
            faces = to_network(np.stack([toned(f, m, skin, finished=False) for f, m in zip(from_network(faces), maps, strict=True)]))
        return Rough(maps, faces)

    def harmonised(self, crop: Crop, reading: Reading, rough: Rough, previous: tuple[Floats, Floats] | None = None, temporal: bool = False) -> Floats:
        """Believable faces from rough ones, as HarmonizationNet, light and colours make them.

        Args:
            crop: the face that is replaced; looked at outside the mask only.
            reading: what is known of it.
            rough: K faces.
            previous: in clips, the new face of the frame before (S x S x 3 float32 RGB in 0 to 255) and its mask, moved to where the face is now.
            temporal: whether the crop is a clip's: then the network that steadies faces draws it, if there is one.

        Returns:
            K x 128 x 128 x 3 float32 RGB in 0 to 255.
        """
        skin, around = reading.around.skin, faded(crop)
        if temporal and self._temporal is not None:
            faces = self._temporal(around, rough.faces, reading.mask, rough.maps, *(previous or (None, None)))
        else:
            faces = self._harmonization(around, rough.faces, reading.mask, rough.maps)
        if skin is not None:
            faces = np.stack([toned(f, m, skin) for f, m in zip(faces, rough.maps, strict=True)])
        if reading.light is not None:
            # In clips hard light flickers.
            faces = np.stack([lit(f, m, reading.light, harden=not temporal) for f, m in zip(faces, rough.maps, strict=True)])
        return gray(faces) if is_gray(around[reading.mask == 0]) else faces

    def _maps(self, reading: Reading, identities: Sequence[Identity]) -> NDArray[np.uint8]:
        """The parsing maps of new faces, K x 128 x 128."""
        if self._source == "own":
            return np.repeat(reading.parsing[None], len(identities), 0)
        latents = np.stack([i.shape for i in identities])
        maps = self._shape(reading.parsing, latents, reading.condition)
        if not reading.glasses:
            return maps
        bare = reading.condition.copy()
        bare[-1] = 0
        return behind_glasses(maps, self._shape(reading.parsing, latents, bare))

    def read_back(self, faces: Pixels, reading: Reading, identities: Sequence[Identity]) -> list[ReadBack]:
        """What is seen in new faces, K x 128 x 128 x 3 uint8 in their crop, of what was drawn."""
        maps = self._maps(reading, identities)
        told = (brows_of, beard_of, paint_of, whites_against_skin, teeth_of)

        def back(face: Pixels, drawn: NDArray[np.uint8]) -> ReadBack:
            lab = lab_of(face)
            return ReadBack(clarity(self._segmentation.shares(face), drawn), *(tell(lab, drawn) for tell in told))

        return at_once(lambda pair: back(*pair), list(zip(faces, maps, strict=True)), self._threads)

    def detailed(self, photo: Pixels, matrix: NDArray[np.float64], reading: Reading, face: Floats) -> Detailed:
        """A drawn face as it is to be laid into a photo, through the matrix that leads to its crop: finer, where the photo is."""
        detailed = self._superresolution(photo, matrix, face, reading.mask)
        return detailed if np.ptp(face, -1).any() else replace(detailed, face=gray(detailed.face[None])[0])


def _visible(parsing: NDArray[np.uint8], outline: NDArray[np.bool_]) -> float:
    """See `Reading`."""
    return float(np.isin(parsing, INNER)[outline].mean()) if outline.any() else 0.0


def _skin(crop: Crop, parsing: NDArray[np.uint8]) -> Floats | None:
    """CIELAB of the visible skin: the median over the face, else over ears and neck; three numbers."""
    for classes in ((SKIN, NOSE), (SKIN, NOSE, EARS, NECK)):
        pixels = crop.pixels[np.isin(parsing, classes) & crop.inside]
        if len(pixels) >= 100:
            lab: Floats = lab_of(np.median(pixels, 0).astype(np.float32)[None, None])[0, 0]
            return lab
    return None
