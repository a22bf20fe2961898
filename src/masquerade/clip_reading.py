"""What is read of the faces in a clip's frames, steadied by the frames before, and the rough faces that are drawn by it.

Nothing here depends on what earlier frames look like in the end, so that frames can be read ahead while these are still being harmonised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from masquerade.appraisal import UNITS
from masquerade.choosing import Chosen
from masquerade.exposure import DARK_FROM, brightened, gain_of
from masquerade.faces.placing import Placement, placed
from masquerade.generation.light import Light, between
from masquerade.generation.replacement import Reading, Rough
from masquerade.limits import LEAST_INSIDE, SMALLEST_PX
from masquerade.masks import share_inside
from masquerade.parts import Parts
from masquerade.steadying import EYES, EYES_REACH, MOUTH, MOUTH_REACH, Motion, around, blended
from masquerade.types import Crop, Face, Floats, Pixels
from masquerade.video import TrackedFace

FRESH = 0.35
"""Share of what a frame shows in the steadied parsing map, mask and condition, where the face's motion is known; the rest comes from the frame
before, moved along."""

PLACED_SHARE = 0.3
"""By so much of what its face was off in the frame before a crop is moved on."""

FRESH_LIGHT = 0.2
"""Share of what a frame shows in the steadied light: it is measured on few pixels of small faces, and where it jumps the whole face flickers."""

POSE = slice(0, 3)
"""The numbers of the condition that say how the head is held."""

FEATURES = ((slice(3, 6), MOUTH, MOUTH_REACH), (slice(6, 8), EYES, EYES_REACH))
"""Those that say how mouth and eyes are, and where these lie."""

STEPS = 0.9 * UNITS
"""A number of the condition that changes by this much in one frame is taken as it is: the face moved. Small and moving faces are read less surely:
with 0.6, and a fifth of each new picture, the crowd clip flickered by 1.42 instead of 1.30 and the seated one by 1.30 instead of 1.20."""

TURNING = 0.5
"""A head that turns by less than this share of a step keeps still."""

UNREAD = 10
"""For so many frames a face that the detector finds and the parser does not is taken to be as it was."""

LEAST_INSIDE_KNOWN = 0.15
"""A face of which less lies inside the picture is obscured though the rest was seen before."""

SAME_PLACE = 0.2
"""A face that is found in a crop is the crop's own when it lies so near to the middle, in shares of the crop's side."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What a new face is drawn by in one frame.

    Attributes:
        crop: the person, as it is in the frame.
        lit: the same, brightened by `gain`.
        placement: how the crop was moved from where the detector's points would lay it.
        reading: steadied.
        rough: the new face that is to be harmonised.
        motion: since the last frame in which the track was seen; None where there was none: then nothing of it counts.
        changed: S x S, how far lips and eyes are not as they were, 0 to 1.
        turning: how fast the head turns, 0 to 1.
    """

    crop: Crop
    lit: Crop
    gain: float
    placement: Placement
    reading: Reading
    rough: Rough
    motion: Motion | None
    changed: Floats
    turning: float


@dataclass(frozen=True, eq=False)
class FaceSeen:
    """A face of a frame: what it is drawn by, or why it is obscured, and whether it is a face for sure."""

    tracked: TrackedFace
    sight: Sight | None = None
    why_not: str = ""
    is_face: bool = True


@dataclass(frozen=True, eq=False)
class _Last:
    """The last frame in which a track was seen: the original crop, and what was measured in it, steadied."""

    original: Pixels
    shares: Floats
    condition: Floats
    mask: Floats
    light: Light | None


@dataclass
class _Track:
    """What a track remembers from frame to frame, all in the canonical crop."""

    chosen: Chosen
    last: _Last | None = None
    placement: Placement = field(default_factory=Placement)
    gain: float = 1.0
    turning: float = 0.0
    certainty: float | None = None
    unread: int = 0


class ClipReader:
    """Reads the faces of a clip's frames, in order.

    Args:
        parts: as for `Anonymizer`.
        chosen: new faces by person; whoever has none is obscured.
        generates: False obscures everybody.
    """

    def __init__(self, parts: Parts, chosen: Mapping[int, Chosen], generates: bool) -> None:
        self._parts, self._chosen, self._generates = parts, chosen, generates
        self._tracks: dict[int, _Track] = {}

    def __call__(self, rgb: Pixels, faces: Sequence[TrackedFace]) -> list[FaceSeen]:
        """Reads the faces of a frame."""
        read = [self._face(rgb, tracked) for tracked in faces]
        here = {tracked.track for tracked in faces}
        self._tracks = {number: track for number, track in self._tracks.items() if number in here}
        return read

    def _face(self, rgb: Pixels, tracked: TrackedFace) -> FaceSeen:
        face, drawer = tracked.face, self._parts.replacement
        if not self._generates or drawer is None:
            return FaceSeen(tracked, why_not="method")
        if tracked.obscure:
            return FaceSeen(tracked, why_not=tracked.obscure, is_face=False)
        if min(face.width, face.height) < SMALLEST_PX:
            return FaceSeen(tracked, why_not="too small")
        if tracked.person not in self._chosen:
            return FaceSeen(tracked, why_not="audit: not a face")
        track = self._tracks.setdefault(tracked.track, _Track(self._chosen[tracked.person]))
        if track.last is None:
            track.placement = drawer.placement(rgb, face, track.chosen.upright)
        crop = self._crop(rgb, placed(face, track.placement), track)
        if crop is None:
            return FaceSeen(tracked, why_not="mostly outside the picture")
        sight = self._sight(crop, track, tracked.seen == "detected")
        return FaceSeen(tracked, sight) if sight else FaceSeen(tracked, why_not="no face for the parser", is_face=False)

    def _crop(self, rgb: Pixels, face: Face, track: _Track) -> Crop | None:
        """A frame's crop; None where too little of it lies inside the picture."""
        assert self._parts.replacement is not None
        crop = self._parts.replacement.crop(rgb, face)
        if share_inside(crop.inside) < (LEAST_INSIDE if track.last is None else LEAST_INSIDE_KNOWN):
            return None
        if track.last is not None:
            # Beyond the picture's edge the face is as it was when it was seen there.
            crop = replace(crop, pixels=np.where(crop.inside[..., None], crop.pixels, track.last.original))
        track.gain += (FRESH if track.last else 1.0) * (gain_of(crop) - track.gain)
        return crop

    def _sight(self, crop: Crop, track: _Track, is_found: bool) -> Sight | None:
        """What is read in a crop, steadied by the frame before, moved to where the face is now; None where the parser sees no face."""
        drawer = self._parts.replacement
        assert drawer is not None
        here, lit, last = track.placement, brightened(crop, track.gain), track.last
        shares, condition, off, _ = drawer.measure(lit)
        track.placement = here.towards(here.then(off).needed(track.chosen.upright), PLACED_SHARE)
        motion = None if last is None else Motion(crop.pixels, last.original)
        changed = np.ones((crop.size, crop.size), np.float32)
        if last is not None and motion is not None:
            shares = blended(shares, motion.of_planes(last.shares), 1 - (1 - FRESH) * motion.trust)
            moving = np.minimum(np.abs(condition - last.condition) / STEPS, 1)
            condition = blended(condition, last.condition, FRESH + (1 - FRESH) * moving)
            track.turning = max(0.0, float(moving[POSE].max()) - TURNING) / (1 - TURNING)
            paces = [float(moving[numbers].max()) ** 2 * around(crop.size, *place) for numbers, *place in FEATURES]
            changed = np.asarray(np.max(paces, 0), np.float32)
        answers = track.chosen.answers
        asked = condition if answers is None else answers.asking(condition)
        dark = track.gain >= DARK_FROM
        reading = drawer.reading(lit, shares, asked, dark=dark) or self._reading_of_sure(lit, shares, asked, track)
        if reading is None and last is not None and motion is not None and is_found and track.unread < UNREAD:
            # The detector saw it: it only cannot be read for an instant.
            track.unread += 1
            shares = motion.of_planes(last.shares)
            reading = drawer.reading(lit, shares, asked, dark=dark)
        else:
            track.unread = 0
        if reading is None:
            track.last = None
            return None
        if last is not None and motion is not None:
            # It may shrink slowly, but grows at once: the face is always covered.
            mask = np.maximum(reading.mask, blended(reading.mask, motion.of(last.mask), 1 - (1 - FRESH) * motion.trust))
            reading = replace(reading, mask=mask, light=between(last.light, reading.light, FRESH_LIGHT))
        track.last = _Last(crop.pixels, shares, condition, reading.mask, reading.light)
        rough = drawer.rough(reading, [track.chosen.identity])
        return Sight(crop, lit, track.gain, track.placement, reading, rough, motion, changed, track.turning)

    def _reading_of_sure(self, crop: Crop, shares: Floats, condition: Floats, track: _Track) -> Reading | None:
        """A reading where the parser sees no face, if the detector sees one more often than not when it looks at the crop alone."""
        middle = crop.size / 2
        is_seen = any(np.abs(f.landmarks.mean(0) - middle).max() < SAME_PLACE * crop.size for f in self._parts.checker(crop.pixels))
        track.certainty = float(is_seen) if track.certainty is None else track.certainty + FRESH * (is_seen - track.certainty)
        assert self._parts.replacement is not None
        return self._parts.replacement.reading(crop, shares, condition, sure=True) if track.certainty > 0.5 else None
