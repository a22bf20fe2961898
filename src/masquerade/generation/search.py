"""Looks for an identity that is not the person: drawn from the bank at first, then also bred from those who resemble the person least.

A long search also learns: what was measured of those who were tried corrects what is foreseen of others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from masquerade.types import Floats, Identity

DRAWN_ROUNDS = 2
"""So many rounds everybody comes from the bank; later only every other one."""

PARENTS = 5
"""Children have their shape and their texture's regions from so many of the least alike."""


Foresee = Callable[[Sequence[Identity]], Floats]
"""From identities to what will speak against each, the most promising lowest."""

AHEAD = 48
"""For each identity that is tried so many are drawn from the bank or bred, and the most promising taken, where that can be foreseen."""

BRED, BRED_LEARNING = 0.5, 0.75
"""Share of those who are bred, and of those of a search that learns."""

LEARNS_FROM, DOUBTED = 16, 0.3
"""A search that learns foresees by what it measured from so many on; and how much it doubts that codes explain it (ridge, in shares of their mean
spread)."""

NEW = 0.2
"""Chance that a child has its shape, or a region's texture, from a newcomer: else all children of the same parents soon look the same."""


class Search:
    """Proposes identities for one person, round by round.

    To some people half of the bank is somewhat alike. What makes a stranger unlike is in part his shape and in part his texture, so that two
    who resemble the person little have children who resemble the person less.

    Attributes:
        foresee: as given; may be exchanged between rounds.

    Args:
        draw: one identity from the bank.
        rng: the source of all chance.
        foresee: what will speak against identities that nobody has drawn yet, K numbers; None tries whoever comes.
        breeds: False takes everybody from the bank as they come, so that who is tried in which place does not depend on the photo, as keys need it.
        learns: whether what is measured of those who were tried corrects what is foreseen; for searches of many rounds.
    """

    def __init__(
        self,
        draw: Callable[[], Identity],
        rng: np.random.Generator,
        foresee: Foresee | None = None,
        breeds: bool = True,
        learns: bool = False,
    ) -> None:
        self.draw = draw
        self.foresee = foresee if breeds else None
        self._rng, self._breeds, self._learns, self._round = rng, breeds, learns, 0
        self._parents: list[tuple[Identity, float]] = []
        self._judged: list[tuple[Identity, float]] = []

    def propose(self, count: int) -> list[Identity]:
        """Identities that are to be tried next, the most promising first."""
        breeds = self._breeds and self._round >= DRAWN_ROUNDS and len(self._parents) >= PARENTS
        bred = int(count * (BRED_LEARNING if self._learns else BRED)) if breeds else 0
        self._round += 1
        if self.foresee is None:
            return [self._child() for _ in range(bred)] + [self.draw() for _ in range(count - bred)]
        children, drawn = [self._child() for _ in range(AHEAD * bred)], [self.draw() for _ in range(AHEAD * (count - bred))]
        foresee = _corrected(self.foresee, self._judged, drawn) if self._learns and len(self._judged) >= LEARNS_FROM else self.foresee
        return _promising(children, bred, foresee) + _promising(drawn, count - bred, foresee)

    def judge(self, tried: Sequence[tuple[Identity, float]]) -> None:
        """Says how much those who were tried resemble the person: cosine similarities."""
        self._parents = sorted([*self._parents, *tried], key=lambda entry: entry[1])[:PARENTS]
        self._judged += tried if self._learns else ()

    def _child(self) -> Identity:
        """Somebody's shape, and for every region of the face the texture of one of two others; now and then a newcomer's."""
        parents, newcomer = [self._parents[i][0] for i in self._rng.integers(len(self._parents), size=3)], self.draw()
        chance = self._rng.random((len(newcomer.texture), 1))
        texture = np.where(chance < 0.5, parents[1].texture, parents[2].texture)
        shape = newcomer.shape if self._rng.random() < NEW else parents[0].shape
        return Identity(shape, np.where(chance > 1 - NEW, newcomer.texture, texture), newcomer.seed)


def _promising(identities: Sequence[Identity], count: int, foresee: Foresee) -> list[Identity]:
    return [identities[i] for i in np.argsort(foresee(identities), kind="stable")[:count]] if count else []


def _corrected(foresee: Foresee, judged: Sequence[tuple[Identity, float]], anybody: Sequence[Identity]) -> Foresee:
    """What is foreseen, corrected by what was measured: ridge regression of what is left of it on the codes.

    The foresight knows 900 heads and not this one; of heads that lean, it knows little.
    """
    tried, measured = [identity for identity, _ in judged], np.array([value for _, value in judged])
    mean, scale = (of(_codes(anybody), 0) for of in (np.mean, np.std))

    def normal(identities: Sequence[Identity]) -> Floats:
        return np.asarray((_codes(identities) - mean) / (scale + 1e-6), np.float32)

    def line(identities: Sequence[Identity]) -> Floats:
        return np.stack([foresee(identities), np.ones(len(identities), np.float32)], 1)

    slope = np.linalg.lstsq(line(tried), measured, rcond=None)[0]
    codes = normal(tried)
    likeness = codes @ codes.T / codes.shape[1] + DOUBTED * np.eye(len(codes))
    weights = codes.T @ np.linalg.solve(likeness, measured - line(tried) @ slope) / codes.shape[1]
    return lambda identities: np.asarray(line(identities) @ slope + normal(identities) @ weights, np.float32)


def _codes(identities: Sequence[Identity]) -> Floats:
    return np.stack([np.concatenate([identity.shape.ravel(), identity.texture.ravel()]) for identity in identities])
