"""The faces of a clip's frames: one new face a person, steady from frame to frame."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np

from masquerade.audit import Audit
from masquerade.choosing import Chooser, Chosen
from masquerade.clip_reading import ClipReader, FaceSeen, Sight
from masquerade.disguising import NONE, Disguise, disguised, disguises
from masquerade.enlarging import lay
from masquerade.exposure import LIFTS, darkened
from masquerade.faces.alignment import region_of
from masquerade.faces.people import Person
from masquerade.faces.placing import placed
from masquerade.faces.recognition import THRESHOLD
from masquerade.frame_audit import FrameAudit
from masquerade.generation.sharpness import blurred, needed_blur
from masquerade.masks import PASTED_FROM_IN_CLIPS, pasted_mask, share_inside
from masquerade.parts import Parts
from masquerade.steadying import blended
from masquerade.track_obscuring import TrackObscurer
from masquerade.types import Face, FaceReport, Floats, Pixels
from masquerade.video import TrackedFace

CLIP_MARGIN = 0.03
"""How far below the recogniser's threshold frames must stay: others measure a threshold of 0.341 on the same photos, with landmarks of their own,
and encoding raises what they measure (crowd clip: a frame that passed at 0.316 was 0.35 in the file).
They are compared with the original frame and with the mean of a person's portraits, which everything resembles more than a single photo: a
smaller margin does than for photos."""

FRESH_PICTURE = 0.12
"""Share of what is drawn in a new face, as long as the head keeps still: optical flow sees little of how a smooth cheek turns. The rest comes from
the frame before, moved along."""

FRESH_BLUR = 0.35
"""The same of how soft a face has to be."""

WITHHELD = 0.5
"""By so much less of the frame before is shown to the network where lips or eyes change. All of it withheld they follow best, but a face that
moves much flickers (1.33 instead of 1.26 in the seated clip)."""

GRAIN = 0.3
"""Share of the photo's grain in clips."""

RETURNING = 0.02
"""A face that was too much alike is shown again only when it is so much less alike than it must be: else it goes to and fro, and flickers."""

LEAST_CHANGE = 5.5
"""A face that changes by less, in grey levels, is obscured: nobody would see that it was replaced."""

AUDITED_EVERY, AUDIT_SHARE = 3, 0.5
"""Every so many frames of a track the audit looks whether the person is gone, in every frame while that is in doubt; and how much one of its
figures counts beside the earlier ones."""

OUT_OF_FOCUS = 3.0
"""Who is never drawn clearly is blurred by so many pixels of the crop: to the eye a face still."""

WARMED_UP = 2
"""So often a track's first face is drawn once more. Without, it is crisper than all that follow (zoom-out: spread +0.13 instead of +0.10)."""

TRIED_AGAIN, RELIED_ON = 5, 3
"""Where no disguise does, others are tried in every so many frames; and a face that was hidden is shown without one if it would have passed in so
many."""

DOUBT, CUT_OFF, JUMP = 0.12, 0.8, 0.1
"""While a track is less than the first below the limit, less than the second of it lies inside the picture, it changed in width by more than the
third from one frame to the next, or its head turns, the audit looks at every frame: a head that began to lean passed at 0.21, and was 0.36 in the
next frame."""


@dataclass
class _TrackState:
    """What a track remembers from frame to frame: the new face as bright as it was drawn, its mask, both in the canonical crop, and what the audit
    said."""

    chosen: Chosen
    last: tuple[Floats, Floats] | None = None
    blur: float = 0.0
    disguise: Disguise = NONE
    hidden: int = 0
    passing: int = 0
    width: float = 0.0
    lifted: int = 0
    frames: int = 0
    similarity: float | None = None
    failing: bool = False


class _Canvas:
    """The part of a frame in which a new face is shown, in one way after another.

    Args:
        pixels: the frame, changed in place.
        sight: what the new face is drawn by.
        tracked: the face; where it lies decides where nobody's features do.
        grain: decides the grain.
    """

    def __init__(self, pixels: Pixels, sight: Sight, tracked: TrackedFace, grain: np.random.SeedSequence) -> None:
        self.pixels, self.tracked, self._sight, self._grain = pixels, tracked, sight, grain
        self._mask = pasted_mask(sight.reading.mask, PASTED_FROM_IN_CLIPS)
        x0, y0, x1, y1 = region_of(sight.crop.matrix, sight.crop.size, pixels.shape[1], pixels.shape[0])
        self._region = pixels[y0:y1, x0:x1]
        self._before = self._region.copy()

    def show(self, face: Floats, lifted: int, disguise: Disguise = NONE) -> None:
        """Lays a new face over what was there, as dark as the frame is, but lifted so many steps."""
        self.clear()
        shown = disguised(face, self._sight.reading.mask, self.tracked.face, disguise, self.tracked.track)
        rng = np.random.default_rng(self._grain)
        lay(self.pixels, darkened(shown, self._sight.gain, LIFTS[lifted]), self._mask, self._sight.crop.matrix, rng, GRAIN)

    def clear(self) -> None:
        """Shows what was there."""
        self._region[...] = self._before


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
        self._read = ClipReader(parts, self._chosen, method == "generate")

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

    def look(self, rgb: Pixels, faces: Sequence[TrackedFace]) -> list[FaceSeen]:
        """Reads the faces of a frame; may be called while earlier frames are being drawn."""
        return self._read(rgb, faces)

    def frame(self, rgb: Pixels, faces: Sequence[FaceSeen]) -> tuple[Pixels, list[FaceReport]]:
        """Replaces the faces of a frame."""
        pixels = rgb.copy()
        reports: dict[int, FaceReport] = {}
        # What may be no face first: in hair or on a collar it must not lie over a new face.
        for number in sorted(range(len(faces)), key=lambda number: faces[number].is_face):
            reports[number] = self._face(rgb, pixels, faces[number])
        here = {face.tracked.track for face in faces}
        self._tracks = {number: state for number, state in self._tracks.items() if number in here}
        self._obscure.forget_all_but(here)
        return pixels, [reports[number] for number in range(len(faces))]

    def _face(self, original: Pixels, pixels: Pixels, face: FaceSeen) -> FaceReport:
        tracked, sight = face.tracked, face.sight
        if sight is None:
            return self._obscure(pixels, tracked, face.why_not, face.is_face)
        state = self._tracks.setdefault(tracked.track, _TrackState(self._chosen[tracked.person]))
        return self._lay(original, pixels, tracked, state, sight, self._drawn(sight, state))

    def _lay(self, original: Pixels, pixels: Pixels, tracked: TrackedFace, state: _TrackState, sight: Sight, drawn: Floats) -> FaceReport:
        """Lays a new face into the frame, in place; disguised, or obscured, where the audit does not let it pass."""
        # A sketch's features lie where the face's own are, and lean as it does.
        upright = replace(tracked, face=placed(tracked.face, sight.placement))
        canvas = _Canvas(pixels, sight, upright, np.random.SeedSequence([state.chosen.identity.seed, state.frames]))
        mean = self._people[tracked.person].embedding
        compared = FrameAudit(self._audit, original, tracked.face, sight.placement, mean, self._parts.threads)

        canvas.show(blurred(drawn, state.blur), state.lifted)
        while (is_left := _change(original, pixels, tracked.face) < LEAST_CHANGE) and sight.gain > 1 and state.lifted + 1 < len(LIFTS):
            state.lifted += 1
            canvas.show(blurred(drawn, state.blur), state.lifted)
        if state.frames % AUDITED_EVERY == 0 or self._is_doubtful(state, tracked.face, sight.turning) or share_inside(sight.crop.inside) < CUT_OFF:
            self._judge(state, compared(pixels))
            if state.failing and sight.motion is not None:
                # What is kept from frame to frame grows like the person while the head turns.
                drawn = self._drawn(sight, state, anew=True)
                canvas.show(blurred(drawn, state.blur), state.lifted)
                if self._has_come_back(afresh := compared(pixels)):
                    state.similarity, state.failing = afresh, False
        state.frames, state.width = state.frames + 1, tracked.face.width
        if is_left:
            canvas.clear()
            return self._obscure(pixels, tracked, "hardly changed")
        state.passing = 0 if state.failing else state.passing + 1
        if not state.failing:
            # Step by step: what jumps to and fro flickers.
            state.disguise = state.disguise.eased()
            if state.chosen.is_clear and state.disguise == NONE:
                state.hidden = 0
                return FaceReport(tracked.face.box, "generated", "", None if state.similarity is None else round(state.similarity, 4), 1)
        return self._disguised(canvas, compared, state, drawn) or self._obscure(pixels, upright, _reason(state))

    def _disguised(self, canvas: _Canvas, compared: FrameAudit, state: _TrackState, drawn: Floats) -> FaceReport | None:
        """Shows a new face in the lightest disguise with which it passes; None, and nothing shown, where it does in none."""
        is_clear = state.chosen.is_clear
        face = blurred(drawn, state.blur if is_clear else max(OUT_OF_FOCUS, state.blur))
        for disguise in _to_be_tried(state):
            canvas.show(face, state.lifted, disguise)
            now = compared(canvas.pixels)
            if self._has_come_back(now) or (is_clear and disguise == NONE):
                state.disguise, state.hidden = disguise, 0
                is_new = is_clear and disguise.is_slight
                similarity = None if now is None else round(now, 4)
                box = canvas.tracked.face.box
                return FaceReport(box, "generated", "", similarity, 1) if is_new else FaceReport(box, "obscured", _reason(state), similarity, 1)
        state.disguise, state.hidden = Disguise(veil=1.0), state.hidden + 1
        canvas.clear()
        return None

    def _has_come_back(self, similarity: float | None) -> TypeGuard[float]:
        """Whether a face that was too much alike may be seen."""
        return similarity is not None and self._audit.passes(similarity + RETURNING)

    def _is_doubtful(self, state: _TrackState, face: Face, turning: float) -> bool:
        """Whether this frame may be beyond the limit: the track is near it or beyond, the head turns, or the face is of another size, and may be
        another's."""
        jumped = abs(face.width - state.width) > JUMP * state.width
        return state.failing or jumped or turning > 0 or (state.similarity is not None and state.similarity > self._audit.limit - DOUBT)

    def _judge(self, state: _TrackState, now: float | None) -> None:
        """Fails a track in the first frame in which it resembles the person, until it does so no more by far."""
        alike = not self._audit.passes(now)
        if now is None or state.similarity is None or state.failing or (alike and now > state.similarity):
            state.similarity = now
        else:
            state.similarity += AUDIT_SHARE * (now - state.similarity)
        stricter = RETURNING if state.failing else 0.0
        state.failing = alike or state.similarity is None or not self._audit.passes(state.similarity + stricter)

    def _drawn(self, sight: Sight, state: _TrackState, anew: bool = False) -> Floats:
        """The new face of a frame, steadied by the frame before, moved to where the face is now; `anew` without it."""
        replacement, reading, motion = self._parts.replacement, sight.reading, sight.motion
        assert replacement is not None
        previous = shown = None
        if state.last is not None and motion is not None and not anew:
            before, mask = motion.of(state.last[0]), motion.of(state.last[1])
            fresh = FRESH_PICTURE + (1 - FRESH_PICTURE) * np.maximum(sight.turning, sight.changed)
            previous = before, np.asarray(1 - ((1 - fresh) * motion.trust * mask)[..., None], np.float32)
            # The network would keep the lips and eyes that it is shown.
            shown = before, mask * (1 - WITHHELD * sight.changed)
        picture: Floats = replacement.harmonised(sight.lit, reading, sight.rough, shown, self._temporal)[0]
        if previous is None and self._temporal and not anew:
            # Shown what it drew, the network draws a first frame as it will draw the next ones.
            for _ in range(WARMED_UP):
                picture = replacement.harmonised(sight.lit, reading, sight.rough, (picture, reading.mask), True)[0]
        if previous is not None:
            picture = blended(picture, *previous)
        needed = needed_blur(sight.lit.pixels, picture, reading.mask, sight.gain)
        state.blur += (FRESH_BLUR if previous else 1.0) * (needed - state.blur)
        state.last = picture, reading.mask
        return picture


def _reason(state: _TrackState) -> str:
    """Why a track's face is not seen as it was drawn."""
    return "audit: still alike" if state.failing else "audit: not a face"


def _to_be_tried(state: _TrackState) -> Iterable[Disguise]:
    """Disguises for a frame, the lightest first."""
    if state.failing:
        return disguises(state.disguise) if state.hidden % TRIED_AGAIN == 0 else ()
    return (state.disguise, NONE) if state.passing >= RELIED_ON or not state.hidden else (state.disguise,)


def _change(before: Pixels, after: Pixels, face: Face) -> float:
    """Mean change in a face's box, in grey levels."""
    x0, y0, x1, y1 = (max(int(v), 0) for v in face.box)
    inside = slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))
    change = np.abs(before[inside].astype(np.int16) - after[inside])
    return float(change.mean()) if change.size else 0.0
