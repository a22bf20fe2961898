"""Looks for an identity that is not the person: drawn from the bank at first, then also bred from those who resemble the person least."""

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
    """

    def __init__(
        self,
        draw: Callable[[], Identity],
        rng: np.random.Generator,
        foresee: Foresee | None = None,
        breeds: bool = True,
    ) -> None:
        self.draw = draw
        self.foresee = foresee if breeds else None
        self._rng, self._breeds, self._round = rng, breeds, 0
        self._judged: list[tuple[Identity, float]] = []

    def propose(self, count: int) -> list[Identity]:
        """Identities that are to be tried next, the most promising first."""
        bred = count // 2 if self._breeds and self._round >= DRAWN_ROUNDS and len(self._judged) >= PARENTS else 0
        self._round += 1
        if self.foresee is None:
            return [self._child() for _ in range(bred)] + [self.draw() for _ in range(count - bred)]
        children, drawn = [self._child() for _ in range(AHEAD * bred)], [self.draw() for _ in range(AHEAD * (count - bred))]
        return self._promising(children, bred) + self._promising(drawn, count - bred)

    def _promising(self, identities: list[Identity], count: int) -> list[Identity]:
        if not identities or self.foresee is None:
            return []
        return [identities[i] for i in np.argsort(self.foresee(identities), kind="stable")[:count]]

    def judge(self, tried: Sequence[tuple[Identity, float]]) -> None:
        """Says how much those who were tried resemble the person: cosine similarities."""
        self._judged = sorted([*self._judged, *tried], key=lambda entry: entry[1])[:PARENTS]

    def _child(self) -> Identity:
        """Somebody's shape, and for every region of the face the texture of one of two others; now and then a newcomer's."""
        parents, newcomer = [self._judged[i][0] for i in self._rng.integers(len(self._judged), size=3)], self.draw()
        chance = self._rng.random((len(newcomer.texture), 1))
        texture = np.where(chance < 0.5, parents[1].texture, parents[2].texture)
        shape = newcomer.shape if self._rng.random() < NEW else parents[0].shape
        return Identity(shape, np.where(chance > 1 - NEW, newcomer.texture, texture), newcomer.seed)
