"""The faces of a clip's frames: one new face a person, steady from frame to frame."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from masquerade.appraisal import UNITS
from masquerade.audit import Audit
from masquerade.choosing import Chooser, Chosen, resemblance
from masquerade.enlarging import lay
from masquerade.exposure import DARK_FROM, LIFTS, brightened, darkened, gain_of
from masquerade.faces.alignment import region_of
from masquerade.faces.people import Person
from masquerade.faces.placing import Placement, placed
from masquerade.faces.recognition import THRESHOLD
from masquerade.generation.light import Light, between
from masquerade.generation.replacement import Reading
from masquerade.generation.sharpness import blurred, needed_blur
from masquerade.limits import LEAST_INSIDE, SMALLEST_PX
from masquerade.masks import PASTED_FROM_IN_CLIPS, pasted_mask, share_inside
from masquerade.parts import Parts
from masquerade.steadying import EYES, EYES_REACH, MOUTH, MOUTH_REACH, Motion, around, blended
from masquerade.track_obscuring import TrackObscurer
from masquerade.types import Crop, Face, FaceReport, Floats, Pixels
from masquerade.video import TrackedFace

CLIP_MARGIN = 0.03
"""How far below the recogniser's threshold frames must stay: others measure a threshold of 0.341 on the same photos, with landmarks of their own,
and encoding raises what they measure (crowd clip: a frame that passed at 0.316 was 0.35 in the file).
They are compared with the original frame and with the mean of a person's portraits, which everything resembles more than a single photo: a
smaller margin does than for photos."""

FRESH = 0.35
"""Share of what a frame shows in the steadied parsing map, mask and condition, where the face's motion is known; the rest comes from the frame
before, moved along."""

PLACED_SHARE = 0.3
"""By so much of what its face was off in the frame before a crop is moved on."""

FRESH_LIGHT = 0.2
"""Share of what a frame shows in the steadied light: it is measured on few pixels of small faces, and where it jumps the whole face flickers."""

FRESH_PICTURE = 0.12
"""And in the new face, as long as the head keeps still: optical flow sees little of how a smooth cheek turns."""

WITHHELD = 0.5
"""By so much less of the frame before is shown to the network where lips or eyes change. All of it withheld they follow best, but a face that
moves much flickers (1.33 instead of 1.26 in the seated clip)."""

POSE = slice(0, 3)
"""The numbers of the condition that say how the head is held."""

FEATURES = ((slice(3, 6), MOUTH, MOUTH_REACH), (slice(6, 8), EYES, EYES_REACH))
"""Those that say how mouth and eyes are, and where these lie."""

STEPS = 0.9 * UNITS
"""A number of the condition that changes by this much in one frame is taken as it is: the face moved. Small and moving faces are read less surely:
with 0.6, and a fifth of each new picture, the crowd clip flickered by 1.42 instead of 1.30 and the seated one by 1.30 instead of 1.20."""

TURNING = 0.5
"""A head that turns by less than this share of a step keeps still."""

GRAIN = 0.3
"""Share of the photo's grain in clips."""

RETURNING, RELIEF = 0.02, 0.4
"""A face that was obscured is drawn again only when it is so much less alike, and while it is obscured a figure that is lower than the ones before
counts only so much beside them: else it goes to and fro, and flickers (crowd clip: 1.25; with 0.015 and 0.5 1.47; with 0.03 and 0.3 as steady, but
obscured in twice as many frames)."""

LEAST_CHANGE = 5.5
"""A face that changes by less, in grey levels, is obscured: nobody would see that it was replaced."""

UNREAD = 10
"""For so many frames a face that the detector finds and the parser does not is taken to be as it was."""

LEAST_INSIDE_KNOWN = 0.15
"""A face of which less lies inside the picture is obscured though the rest was seen before."""

SAME_PLACE = 0.2
"""A face that is found in a crop is the crop's own when it lies so near to the middle, in shares of the crop's side."""

AUDITED_EVERY, AUDIT_SHARE = 3, 0.5
"""Every so many frames of a track the audit looks whether the person is gone, in every frame while that is in doubt; and how much one of its
figures counts beside the earlier ones."""

OUT_OF_FOCUS = (3.0, 5.0, 8.0)
"""While the audit does not let a new face pass, it is tried out of focus: blurred by so many pixels of the crop. To the eye a face still, and nothing
jumps as it comes and goes."""

DOUBT, CUT_OFF, JUMP = 0.12, 0.8, 0.1
"""While a track is less than the first below the limit, less than the second of it lies inside the picture, it changed in width by more than the
third from one frame to the next, or its head turns, the audit looks at every frame: a head that began to lean passed at 0.21, and was 0.36 in the
next frame."""


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A frame's original crop, what was measured in it, and the new face, as bright as it was drawn, with its mask; and the steadied
    light."""

    original: Pixels
    shares: Floats
    condition: Floats
    picture: Floats
    mask: Floats
    light: Light | None


@dataclass
class _TrackState:
    """What a track remembers from frame to frame, all in the canonical crop."""

    chosen: Chosen
    last: _Drawn | None = None
    placement: Placement = field(default_factory=Placement)
    gain: float = 1.0
    blur: float = 0.0
    softer: int = 0
    width: float = 0.0
    turning: float = 0.0
    lifted: int = 0
    frames: int = 0
    similarity: float | None = None
    failing: bool = False
    seen: float | None = None
    unread: int = 0


class ClipAnonymizer:
    """Replaces the tracked faces of one clip; see `masquerade.video.FrameAnonymizer`.

    Args:
        parts: as for `Anonymizer`; `parts.replacement` may be None only where every face is obscured.
        method: "generate", "blur", "pixelate" or "solid".
        seed: makes the choice of identities reproducible.
        temporal: whether the network that knows the frame before draws the faces, if there is one; else the one for photos. The new faces are
            chosen as the former draws them, so that a comparison is of the same people.
    """

    def __init__(self, parts: Parts, method: str = "generate", seed: int | None = None, temporal: bool = True) -> None:
        self._parts, self._method, self._temporal = parts, method, temporal
        self._audit = Audit(parts.recognizer, parts.checker, THRESHOLD, CLIP_MARGIN)
        self._entropy = secrets.randbits(64) if seed is None else seed
        self._chosen: dict[int, Chosen] = {}
        self._people: dict[int, Person] = {}
        self._tracks: dict[int, _TrackState] = {}
        self._obscure = TrackObscurer(self._audit, method, self._entropy)

    def begin(self, people: Sequence[Person]) -> None:
        """Chooses every person's new face on their portraits; who gets none is obscured."""
        self._people = {p.number: p for p in people}
        if self._method != "generate":
            return
        choose = Chooser(self._parts, self._audit)
        for person in people:
            rng = np.random.default_rng([self._entropy % 2**64, person.number])
            chosen = choose(person, rng)
            if chosen is not None:
                self._chosen[person.number] = chosen

    def frame(self, rgb: Pixels, faces: Sequence[TrackedFace]) -> tuple[Pixels, list[FaceReport]]:
        """Replaces the faces of a frame."""
        pixels = rgb.copy()
        reports = [self._face(rgb, pixels, tracked) for tracked in faces]
        here = {tracked.track for tracked in faces}
        self._tracks = {number: state for number, state in self._tracks.items() if number in here}
        self._obscure.forget_all_but(here)
        return pixels, reports

    def _face(self, original: Pixels, pixels: Pixels, tracked: TrackedFace) -> FaceReport:
        face = tracked.face
        if self._method != "generate":
            return self._obscure(pixels, tracked, "method")
        if tracked.obscure:
            return self._obscure(pixels, tracked, tracked.obscure, is_face=False)
        if min(face.width, face.height) < SMALLEST_PX:
            return self._obscure(pixels, tracked, "too small")
        if tracked.person not in self._chosen:
            return self._obscure(pixels, tracked, "audit: not a face")
        state = self._tracks.setdefault(tracked.track, _TrackState(self._chosen[tracked.person]))
        if state.last is None:
            assert self._parts.replacement is not None
            state.placement = self._parts.replacement.placement(original, face, state.chosen.upright)
        crop = self._crop(original, placed(face, state.placement), state)
        if crop is None:
            return self._obscure(pixels, tracked, "mostly outside the picture")
        drawn, mask = self._drawn(crop, state, tracked.seen == "detected")
        if drawn is None or mask is None:
            return self._obscure(pixels, tracked, "no face for the parser", is_face=False)
        return self._lay(original, pixels, tracked, state, crop, drawn, mask)

    def _crop(self, original: Pixels, face: Face, state: _TrackState) -> Crop | None:
        """A frame's crop; None where too little of it lies inside the picture."""
        assert self._parts.replacement is not None
        crop = self._parts.replacement.crop(original, face)
        if share_inside(crop.inside) < (LEAST_INSIDE if state.last is None else LEAST_INSIDE_KNOWN):
            return None
        if state.last is not None:
            # Beyond the picture's edge the face is as it was when it was seen there.
            crop = replace(crop, pixels=np.where(crop.inside[..., None], crop.pixels, state.last.original))
        state.gain += (FRESH if state.last else 1.0) * (gain_of(crop) - state.gain)
        return crop

    def _lay(self, original: Pixels, pixels: Pixels, tracked: TrackedFace, state: _TrackState, crop: Crop, drawn: Floats, mask: Floats) -> FaceReport:
        """Lays a new face into the frame, in place; out of focus, or another way of obscuring it, where the audit does not let it pass."""
        x0, y0, x1, y1 = region_of(crop.matrix, crop.size, pixels.shape[1], pixels.shape[0])
        region = pixels[y0:y1, x0:x1]
        before = region.copy()

        def show(blur: float) -> None:
            region[...] = before
            grain = np.random.default_rng([state.chosen.identity.seed, state.frames])
            lay(
                pixels,
                darkened(blurred(drawn, blur), state.gain, LIFTS[state.lifted]),
                pasted_mask(mask, PASTED_FROM_IN_CLIPS),
                crop.matrix,
                grain,
                GRAIN,
            )

        show(state.blur)
        while (is_left := _change(original, pixels, tracked.face) < LEAST_CHANGE) and state.gain > 1 and state.lifted + 1 < len(LIFTS):
            state.lifted += 1
            show(state.blur)
        if state.frames % AUDITED_EVERY == 0 or self._is_doubtful(state, tracked.face) or share_inside(crop.inside) < CUT_OFF:
            self._judge(state, self._similarity(original, pixels, tracked, state.placement))
        state.frames, state.width = state.frames + 1, tracked.face.width
        box = tracked.face.box
        if is_left:
            region[...] = before
            return self._obscure(pixels, tracked, "hardly changed")
        if state.chosen.is_clear and not state.failing:
            state.softer = 0
            return FaceReport(box, "generated", "", None if state.similarity is None else round(state.similarity, 4), 1)
        reason = "audit: still alike" if state.failing else "audit: not a face"
        for blur in OUT_OF_FOCUS[state.softer :]:
            show(max(blur, state.blur))
            similarity = self._similarity(original, pixels, tracked, state.placement)
            if similarity is not None and self._audit.passes(similarity + RETURNING):
                return FaceReport(box, "obscured", reason, round(similarity, 4), 1)
            # What did not do is not tried again until the face passes, who is only unclear excepted: to and fro would flicker.
            state.softer = min(state.softer + 1, len(OUT_OF_FOCUS) - (not state.failing))
        region[...] = before
        # A sketch's features lie where the face's own are, and lean as it does.
        return self._obscure(pixels, replace(tracked, face=placed(tracked.face, state.placement)), reason)

    def _is_doubtful(self, state: _TrackState, face: Face) -> bool:
        """Whether this frame may be beyond the limit: the track is near it, the head turns, or the face is of another size, and may be another's."""
        if state.failing:
            return False
        jumped = abs(face.width - state.width) > JUMP * state.width
        return jumped or state.turning > 0 or (state.similarity is not None and state.similarity > self._audit.limit - DOUBT)

    def _judge(self, state: _TrackState, now: float | None) -> None:
        """Fails a track in the first frame in which it resembles the person; it passes again when it has not done so for some."""
        alike = not self._audit.passes(now)
        if now is None or state.similarity is None or (alike and now > state.similarity):
            state.similarity = now
        else:
            share = RELIEF if state.failing and now < state.similarity else AUDIT_SHARE
            state.similarity += share * (now - state.similarity)
        stricter = RETURNING if state.failing else 0.0
        state.failing = alike or state.similarity is None or not self._audit.passes(state.similarity + stricter)

    def _drawn(self, crop: Crop, state: _TrackState, is_found: bool) -> tuple[Floats | None, Floats | None]:
        """The new face of a frame and its mask, steadied by the frame before, moved to where the face is now."""
        replacement = self._parts.replacement
        assert replacement is not None
        lit, last = brightened(crop, state.gain), state.last
        shares, condition, off = replacement.measure(lit)
        state.placement = state.placement.towards(state.placement.then(off).needed(state.chosen.upright), PLACED_SHARE)
        motion = None if last is None else Motion(crop.pixels, last.original)
        fresh, changed = np.ones((2, crop.size, crop.size), np.float32)
        if last is not None and motion is not None:
            shares = blended(shares, motion.of_planes(last.shares), 1 - (1 - FRESH) * motion.trust)
            moving = np.minimum(np.abs(condition - last.condition) / STEPS, 1)
            condition = blended(condition, last.condition, FRESH + (1 - FRESH) * moving)
            state.turning = max(0.0, float(moving[POSE].max()) - TURNING) / (1 - TURNING)
            paces = [float(moving[numbers].max()) ** 2 * around(crop.size, *place) for numbers, *place in FEATURES]
            changed = np.asarray(np.max(paces, 0), np.float32)
            fresh = np.asarray(FRESH_PICTURE + (1 - FRESH_PICTURE) * np.maximum(state.turning, changed), np.float32)
        answers = state.chosen.answers
        asked = condition if answers is None else answers.asking(condition)
        dark = state.gain >= DARK_FROM
        reading = replacement.reading(lit, shares, asked, dark=dark) or self._reading_of_sure(lit, shares, asked, state)
        if reading is None and last is not None and motion is not None and is_found and state.unread < UNREAD:
            # The detector saw it: it only cannot be read for an instant.
            state.unread += 1
            shares = motion.of_planes(last.shares)
            reading = replacement.reading(lit, shares, asked, dark=dark)
        else:
            state.unread = 0
        if reading is None:
            state.last = None
            return None, None
        previous = shown = None
        if last is not None and motion is not None:
            previous = motion.of(last.picture), motion.of(last.mask)
            # It may shrink slowly, but grows at once: the face is always covered.
            mask = np.maximum(reading.mask, blended(reading.mask, previous[1], 1 - (1 - FRESH) * motion.trust))
            reading = replace(reading, mask=mask, light=between(last.light, reading.light, FRESH_LIGHT))
            # The network would keep the lips and eyes that it is shown.
            shown = previous[0], previous[1] * (1 - WITHHELD * changed)
        picture: Floats = replacement.draw(lit, reading, [state.chosen.identity], shown, self._temporal)[0]
        if previous is not None and motion is not None:
            picture = blended(picture, previous[0], 1 - ((1 - fresh) * motion.trust * previous[1])[..., None])
        needed = needed_blur(lit.pixels, picture, reading.mask, state.gain)
        state.blur += (FRESH if last else 1.0) * (needed - state.blur)
        state.last = _Drawn(crop.pixels, shares, condition, picture, reading.mask, reading.light)
        return picture, reading.mask

    def _reading_of_sure(self, crop: Crop, shares: Floats, condition: Floats, state: _TrackState) -> Reading | None:
        """A reading where the parser sees no face, if the detector sees one more often than not when it looks at the crop alone."""
        middle = crop.size / 2
        seen = any(np.abs(f.landmarks.mean(0) - middle).max() < SAME_PLACE * crop.size for f in self._parts.checker(crop.pixels))
        state.seen = float(seen) if state.seen is None else state.seen + FRESH * (seen - state.seen)
        assert self._parts.replacement is not None
        return self._parts.replacement.reading(crop, shares, condition, sure=True) if state.seen > 0.5 else None

    def _similarity(self, original: Pixels, pixels: Pixels, tracked: TrackedFace, placement: Placement) -> float | None:
        """How much what stands there now resembles the person; see `resemblance`."""
        # A track's landmarks are steadied; who detects faces in either frame anew compares what stands at others.
        frame, there = (self._described(photo, tracked.face, placement) for photo in (original, pixels))
        return resemblance(self._audit, self._people[tracked.person].embedding, frame, there)

    def _described(self, photo: Pixels, face: Face, placement: Placement) -> Floats | None:
        """What stands in a frame, where the face lies and where a detector finds it; where it finds none, at the detector's points of before."""
        vectors = self._audit.describe(photo, placed(face, placement), again=False, in_place=True)
        if vectors is None or len(vectors) > 1 or placement == Placement():
            return vectors
        beside = self._audit.describe(photo, face, again=False)
        return vectors if beside is None else np.concatenate([vectors, beside])


def _change(before: Pixels, after: Pixels, face: Face) -> float:
    """Mean change in a face's box, in grey levels."""
    x0, y0, x1, y1 = (max(int(v), 0) for v in face.box)
    inside = slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))
    change = np.abs(before[inside].astype(np.int16) - after[inside])
    return float(change.mean()) if change.size else 0.0
