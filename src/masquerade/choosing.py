"""Chooses a person's new face for a whole clip: somebody who does not resemble them in any of the frames in which they are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from masquerade.appraisal import Appraisal, appraise, contrast_of, foresee_with
from masquerade.audit import Audit
from masquerade.enlarging import lay
from masquerade.exposure import DARK_FROM, brightened, darkened, gain_of
from masquerade.faces.people import FEW_VIEWS, SMALL_PX, Person, Portrait, spread
from masquerade.faces.placing import LESS_UPRIGHT, UPRIGHT, placed
from masquerade.faces.scene import scene_of
from masquerade.frame_audit import FrameAudit, resemblance
from masquerade.generation.asking import Answers
from masquerade.generation.identity import Surroundings, together
from masquerade.generation.replacement import Reading
from masquerade.generation.search import Foresee, Search
from masquerade.generation.sharpness import blurred, needed_blur
from masquerade.limits import LEAST_VISIBLE
from masquerade.masks import PASTED_FROM_IN_CLIPS, laid_over, pasted_mask
from masquerade.parts import Parts
from masquerade.pipeline import at_once
from masquerade.types import Crop, Floats, Identity

ROUNDS, TRIED = 5, 8
"""So many times so many identities are tried on the best of a person's looks."""

SMALL_ROUNDS = 2
"""For people who always are small so many rounds do."""

SHORTLISTS = ((8, 3), (4, 5), (2, None))
"""So many of the best go on to so many looks, and the last to all."""

SEARCHED_ROUNDS, SEARCHED_LOOKS, FINALISTS = 12, 6, 6
"""Where the best of them is not safe, so many rounds more at most are tried on so many looks, where only likeness counts, and so many of the least
alike on all looks; half of the rounds, where nobody is below the limit then. Who was the least alike on several looks has children who are on others,
too (two who lean, crowd clip: cosines of 0.15 to 0.31, 0.18 to 0.33 of those who were foreseen to be)."""

ENOUGH = 4
"""So many who stay well below the limit end a search."""

BEST_LOOKS = 2
"""So many of the best portraits are tried on, beside the fair sample of all frames: at first a few of it, later all."""

CHOICE_MARGIN, SURE, SAFE = 0.14, 0.06, 0.05
"""On these looks a new face should stay so far below the audit's limit: in other frames it may look that much more like the person (lectern clip: at
most 0.24 on eight looks, 0.30 in a frame). Asked for more, the least alike were drawn, and they are ugly: with 0.22 a woman in the glasses clip got
a beard, with 0.18 the woman of the seated clip a crooked smile. Who does not even stay by the second below it on a few looks is tried on all of them;
where nobody stays by the third below it there, others are looked for."""

DANGER = 10.0
"""How much every bit of likeness above that counts, beside what else speaks against an identity."""

LOST, HOPELESS, HOPELESS_SHARE = 0.05, 0.15, 0.2
"""In a look in which it is so far beyond the limit a face is obscured, and it counts no more how far; where it is as far as the second in no more
than such a share of the looks, as with heads that are bent or half hidden, everybody is, and no others are looked for on their account: in the crowd
clip each of three people had a look with cosines of 0.57 to 0.65 with everybody, which decided who was chosen for all the others."""

FORESEEN = 2.0
"""How much likeness that is only foreseen counts, though it may be far from any danger: counted as much as danger, the least alike were drawn, and
they are the ugliest (seated clip: spread +0.11 instead of +0.04, a rugged face on a young woman)."""

BROWS = 0.01
"""How much every L* counts by which brows will not go with the hair: counted as in photos, twice this, who was chosen flickered more (lectern 0.90
instead of 0.84), and frames of one person differed more."""

FIT = 0.5
"""How much it counts, beside what it does in photos, that somebody does not look like the head's own, and that sex, age and hair are others: those
who do fit are more alike to their persons, and counted fully a woman got so much of a contrast that she flickered (seated clip: 1.36, half 1.26)."""

HARD = 1.2
"""Where the best of the first identities have more against them than this, many people are alike to the person: then what is foreseen counts as
danger does, and shapes need not go with the surroundings' age any more."""

RESTLESS = 1.0
"""How much it counts that a new face has more contrast than the person's, in shares of it: where brows, stubble and glasses are darker, every
error of the motion shows, and the face flickers (of six faces for one clip: contrast 1.09 to 1.37, flicker 1.09 to 1.35, in this order)."""

CLEAR = 0.74
"""A person of whom even the best new face is less clear than this, in the median of the looks, gets it out of focus: of 27 people in two clips of
dark and crowded scenes nearly all whom this or `LEAST_VISIBLE` leaves out had broken faces."""

GLASSES_UNCLEAR, DARK_UNCLEAR = 0.07, 0.12
"""So much less clear faces with glasses may be: the parser finds thin frames seldom where they were drawn, also where they look well. And so much
less clear faces in the dark: they are blurred, and nobody sees more of them than the parser."""

UNCLEAR = 10.0
"""How much every bit of clearness that is missing counts: somebody a little more alike is better than nobody."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """A person's new face, how it answers to what it is asked for (None where that was not seen), whether it may be seen in focus, and how far the
    person's head may lean before it is set upright."""

    identity: Identity
    answers: Answers | None = None
    is_clear: bool = True
    upright: float = UPRIGHT


@dataclass(frozen=True, eq=False)
class _Look:
    """Somebody in a frame: the crop, brightened by `gain`, what was read in it, the vectors of the person there, what compares new faces with them as
    closely as frames are audited, and whether the crop was turned."""

    portrait: Portrait
    crop: Crop
    gain: float
    reading: Reading
    known: Floats | None
    closely: FrameAudit
    is_set_upright: bool


@dataclass(frozen=True, eq=False)
class _Candidate:
    """An identity, how clear it must be, and in the looks that it was tried on what spoke against it, how alike it was, and how clear."""

    identity: Identity
    wanted: float
    costs: list[float] = field(default_factory=list)
    likeness: list[float] = field(default_factory=list)
    clearness: list[float] = field(default_factory=list)

    @property
    def rank(self) -> float:
        """Between the mean and the worst of the looks; the lowest is the best."""
        return (float(np.mean(self.costs)) + max(self.costs)) / 2 + UNCLEAR * max(self.unclear, 0.0)

    @property
    def unclear(self) -> float:
        """How much clearness is missing, negative where it is not."""
        return self.wanted - float(np.median(self.clearness))


@dataclass(frozen=True, eq=False)
class _Stand:
    """How far a person's head may lean, all looks at the person so, and the best of the quick search, tried on all of them."""

    upright: float
    looks: list[_Look]
    quick: _Candidate


@dataclass(frozen=True, eq=False)
class _Finalist:
    """The best of a search, how far the person's head might lean in it, and the look that was tried first."""

    candidate: _Candidate
    upright: float
    look: _Look


def _largest_px(looks: Sequence[_Look]) -> float:
    return max(max(look.portrait.face.width, look.portrait.face.height) for look in looks)


def _wanted(look: _Look) -> float:
    """How clear new faces must be."""
    return CLEAR - GLASSES_UNCLEAR * look.reading.glasses - DARK_UNCLEAR * (look.gain >= DARK_FROM)


class Chooser:
    """Tries identities on the looks that there are of a person.

    Args:
        parts: what draws and recognises.
        audit: compares new faces with people.
    """

    def __init__(self, parts: Parts, audit: Audit) -> None:
        assert parts.replacement is not None
        self._parts, self._drawer, self._audit = parts, parts.replacement, audit

    def __call__(self, person: Person, rng: np.random.Generator) -> Chosen | None:
        """The identity that is least like the person in their looks; None where hardly anything of the person is seen."""
        looks = self._looks(person, UPRIGHT, FEW_VIEWS)
        if not looks:
            return Chosen(self._drawer.bank.draw(Surroundings(None, None), rng))
        if np.mean([look.reading.visible for look in looks]) < LEAST_VISIBLE:
            return None
        best = min(self._finalists(person, looks, rng), key=lambda finalist: self._order(finalist.candidate))
        look, identity = best.look, best.candidate.identity
        answers = Answers.of(look.reading, lambda reading: self._shown(look, reading, identity))
        return Chosen(identity, answers, best.candidate.unclear <= 0, best.upright)

    def _order(self, candidate: _Candidate) -> tuple[bool, bool, float, float]:
        """The lowest is taken: who is unclear is out of focus in every frame, who is alike in as many as they are recognised in."""
        known = float(np.mean(np.array(candidate.likeness) >= self._audit.limit))
        return candidate.unclear > 0, not self._is_safe(candidate), known, candidate.rank

    def _finalists(self, person: Person, looks: Sequence[_Look], rng: np.random.Generator) -> list[_Finalist]:
        """The best of a quick search; as long as nobody is safe also of thorough ones."""
        around = together([look.reading.around for look in looks])
        quick = self._quickly(person, looks, around, rng)
        if self._most_alike(quick) < self._audit.limit - SURE or _largest_px(looks) < SMALL_PX:
            return [_Finalist(quick, UPRIGHT, looks[0])]
        stands = [self._stand(person, self._looks(person, UPRIGHT), UPRIGHT, quick.identity)]
        finalists = [_Finalist(stands[0].quick, UPRIGHT, stands[0].looks[0])]
        if self._is_safe(stands[0].quick):
            return finalists
        if any(look.is_set_upright for look in stands[0].looks) and (leaning := self._looks(person, LESS_UPRIGHT)):
            stands.append(self._stand(person, leaning, LESS_UPRIGHT, quick.identity))
        # Of any age, then of either sex: somebody who does not quite suit the hair is better than nobody.
        wanted = replace(around, age=None)
        for stand in stands:
            if stand is stands[-1] or np.mean(stand.quick.likeness) < self._audit.limit:
                finalists.append(self._thoroughly(person, stand, wanted, rng))
                if self._is_safe(finalists[-1].candidate):
                    return finalists
        if all(self._most_alike(finalist.candidate) >= self._audit.limit for finalist in finalists):
            finalists.append(self._thoroughly(person, stands[-1], replace(wanted, female=None), rng))
        return finalists

    def _stand(self, person: Person, looks: list[_Look], upright: float, identity: Identity) -> _Stand:
        """All looks at a person whose head may lean so far, the best of a quick search tried on them."""
        return _Stand(upright, looks, self._everywhere(person, looks, [identity])[0])

    def _quickly(self, person: Person, looks: Sequence[_Look], around: Surroundings, rng: np.random.Generator) -> _Candidate:
        """The best of those who are foreseen to fit, all tried on the best look, and ever fewer on more."""
        search = Search(lambda: self._drawer.bank.draw(around, rng), rng, self._foresee(person, FORESEEN, around))
        candidates: list[_Candidate] = []
        for _ in range(ROUNDS if _largest_px(looks) >= SMALL_PX else SMALL_ROUNDS):
            tried = [_Candidate(identity, _wanted(looks[0])) for identity in search.propose(TRIED)]
            self._try_on(looks[:1], tried, person, closely=False)
            search.judge([(candidate.identity, candidate.rank) for candidate in tried])
            candidates += tried
            if min(candidate.rank for candidate in candidates) > HARD:
                around, search.foresee = replace(around, age=None), self._foresee(person, DANGER, around)
        return self._narrowed(candidates, looks, person)

    def _thoroughly(self, person: Person, stand: _Stand, around: Surroundings, rng: np.random.Generator) -> _Finalist:
        """The best of those who are the least alike on several looks."""
        hopeful = [look for look, likeness in zip(stand.looks, stand.quick.likeness, strict=True) if likeness < self._audit.limit + HOPELESS]
        sample = spread(hopeful or stand.looks, SEARCHED_LOOKS)
        search = Search(lambda: self._drawer.bank.draw(around, rng), rng, self._foresee(person, DANGER, around), learns=True)
        least: list[tuple[Identity, float]] = []
        for number in range(SEARCHED_ROUNDS):
            identities = search.propose(TRIED)
            tried = list(zip(identities, self._likeness(sample, identities, person), strict=True))
            search.judge(tried)
            least = sorted([*least, *tried], key=lambda entry: entry[1])[:FINALISTS]
            is_hopeless = number + 1 == SEARCHED_ROUNDS // 2 and least[0][1] >= self._audit.limit
            if is_hopeless or least[ENOUGH - 1][1] < self._audit.limit - CHOICE_MARGIN:
                break
        candidates = self._everywhere(person, stand.looks, [identity for identity, _ in least])
        return _Finalist(min(candidates, key=self._order), stand.upright, stand.looks[0])

    def _everywhere(self, person: Person, looks: Sequence[_Look], identities: Sequence[Identity]) -> list[_Candidate]:
        """Identities, tried on all looks."""
        candidates = [_Candidate(identity, _wanted(looks[0])) for identity in identities]
        self._try_on(looks, candidates, person, closely=True)
        return candidates

    def _likeness(self, looks: Sequence[_Look], identities: Sequence[Identity], person: Person) -> Floats:
        """How much identities resemble a person in looks, K numbers, between the mean and the worst of them."""

        def alike(look: _Look) -> list[float]:
            faces = self._drawer.draw(look.crop, look.reading, identities, None, temporal=True)
            soft = [blurred(face, needed_blur(look.crop.pixels, face, look.reading.mask, look.gain)) for face in faces]
            return self._similarities(look, soft, person, closely=True)

        counted = np.minimum(at_once(alike, looks, self._parts.threads), self._audit.limit + LOST)
        return np.asarray((counted.mean(0) + counted.max(0)) / 2, np.float32)

    def _is_safe(self, candidate: _Candidate) -> bool:
        """Whether a new face stays far enough from its person."""
        return self._most_alike(candidate) < self._audit.limit - SAFE

    def _most_alike(self, candidate: _Candidate) -> float:
        """The most that was measured in looks in which not everybody is alike."""
        hopeful = [v for v in candidate.likeness if v < self._audit.limit + HOPELESS]
        return max(hopeful if len(hopeful) >= (1 - HOPELESS_SHARE) * len(candidate.likeness) else candidate.likeness)

    def _looks(self, person: Person, upright: float, views: int | None = None) -> list[_Look]:
        """A person's best portraits, and so many of the views, evenly spread; None takes all."""
        portraits = [*person.portraits[:BEST_LOOKS], *spread(person.views, len(person.views) if views is None else views)]
        return [look for look in at_once(partial(self._look, person.embedding, upright), portraits, self._parts.threads) if look is not None]

    def _narrowed(self, candidates: Sequence[_Candidate], looks: Sequence[_Look], person: Person) -> _Candidate:
        """The best of all, of which ever fewer are looked at ever more often."""
        shortlist = candidates
        for count, depth in SHORTLISTS:
            candidates = sorted(candidates, key=lambda candidate: candidate.rank)[:count]
            self._try_further(looks[:depth], candidates, person)
            shortlist = shortlist if depth is None else candidates
        best = min(candidates, key=lambda candidate: candidate.rank)
        if self._is_safe(best):
            return best
        # Those who were left out last, before anybody is searched for thoroughly.
        self._try_further(looks, shortlist, person)
        return min(shortlist, key=self._order)

    def _try_further(self, looks: Sequence[_Look], candidates: Sequence[_Candidate], person: Person) -> None:
        """Tries candidates on those of the looks that they were not tried on yet, which are the last."""
        for seen in sorted({len(candidate.costs) for candidate in candidates}):
            self._try_on(looks[seen:], [candidate for candidate in candidates if len(candidate.costs) == seen], person, closely=True)

    def _foresee(self, person: Person, likeness: float, around: Surroundings) -> Foresee | None:
        return foresee_with(self._parts.foresight, person.embedding, around, likeness=likeness, contrast=RESTLESS, brows=BROWS, fit=FIT)

    def _shown(self, look: _Look, asked: Reading, identity: Identity) -> Floats:
        """Pose and expression of a person who is asked for something else than what is seen in a look."""
        face = self._drawer.draw(look.crop, asked, [identity], None, temporal=True)
        shown: Floats = self._drawer.conditions(laid_over(look.crop.pixels, face, look.reading.mask))[0]
        return shown

    def _look(self, mean: Floats | None, upright: float, portrait: Portrait) -> _Look | None:
        placement = self._drawer.placement(portrait.pixels, portrait.face, upright)
        found, portrait = portrait.face, replace(portrait, face=placed(portrait.face, placement))
        crop = self._drawer.crop(portrait.pixels, portrait.face)
        gain = gain_of(crop)
        lit = brightened(crop, gain)
        scene = brightened(scene_of(portrait.pixels, crop), gain)
        reading = self._drawer.read(lit, dark=gain >= DARK_FROM, scene=scene)
        if reading is None:
            return None
        known = self._audit.describe(portrait.pixels, portrait.face, again=False)
        closely = FrameAudit(self._audit, portrait.pixels, found, placement, mean)
        return _Look(portrait, lit, gain, reading, known, closely, placement.turn != 0)

    def _try_on(self, looks: Sequence[_Look], candidates: Sequence[_Candidate], person: Person, closely: bool) -> None:
        """Adds to every candidate what speaks against it in each of the looks; a closer look also compares at landmarks found anew."""
        identities = [candidate.identity for candidate in candidates]

        def judged(look: _Look) -> list[tuple[float, float, float]]:
            faces = self._drawer.draw(look.crop, look.reading, identities, None, temporal=True)
            appraisals = appraise(self._parts, look.crop, look.reading, faces, identities, gain=look.gain)
            soft = [blurred(drawn, appraisal.blur) for drawn, appraisal in zip(faces, appraisals, strict=True)]
            similarities = self._similarities(look, soft, person, closely)
            entries = zip(soft, appraisals, similarities, strict=True)
            return [(similarity, self._cost(look, face, appraisal, similarity), appraisal.clarity) for face, appraisal, similarity in entries]

        for judgements in at_once(judged, looks, self._parts.threads):
            for candidate, (similarity, cost, clarity) in zip(candidates, judgements, strict=True):
                candidate.likeness.append(similarity)
                candidate.costs.append(cost)
                candidate.clearness.append(clarity)

    def _similarities(self, look: _Look, faces: Sequence[Floats], person: Person, closely: bool) -> list[float]:
        """How much new faces resemble a person in a look; what cannot be measured counts as the person."""

        def similarity(drawn: Floats) -> float:
            pixels = look.portrait.pixels.copy()
            lay(pixels, darkened(drawn, look.gain), pasted_mask(look.reading.mask, PASTED_FROM_IN_CLIPS), look.crop.matrix, np.random.default_rng(0))
            if closely:
                measured = look.closely(pixels)
            else:
                there = self._audit.describe(pixels, look.portrait.face, again=False)
                measured = resemblance(self._audit, person.embedding, look.known, there)
            return 1.0 if measured is None else measured

        return at_once(similarity, faces, self._parts.threads)

    def _cost(self, look: _Look, drawn: Floats, appraisal: Appraisal, similarity: float) -> float:
        """How little a new face is fit to stand for its person in a look: likeness beyond what is safe, and what else speaks against it."""
        beyond = min(similarity, self._audit.limit + LOST) - (self._audit.limit - CHOICE_MARGIN)
        restless = contrast_of(drawn, look.reading.mask) / max(contrast_of(look.crop.pixels.astype(np.float32), look.reading.mask), 1e-3) - 1
        burden = appraisal.burden - (1 - FIT) * appraisal.unfit
        return max(burden, 0.0) + DANGER * max(beyond, 0.0) + RESTLESS * max(restless, 0.0)
