"""The search for somebody who is not the person: what is drawn, who is bred, and that breeding helps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from masquerade.generation.search import DRAWN_ROUNDS, Foresee, Search
from masquerade.types import Floats, Identity

COUNT = 4


def stranger(rng: np.random.Generator) -> Identity:
    return Identity(rng.normal(size=64).astype(np.float32), rng.normal(size=(9, 32)).astype(np.float32), int(rng.integers(2**32)))


def likeness(identity: Identity) -> float:
    """Part of it lies in the shape, part in each region's texture."""
    return float(identity.shape[0] + identity.texture[:, 0].sum() / 3)


def foresee(identities: Sequence[Identity]) -> Floats:
    """Sees half of what matters."""
    return np.array([i.shape[0] for i in identities], np.float32)


def least_alike(seed: int, rounds: int, breeds: bool = True, foresee: Foresee | None = None, learns: bool = False) -> float:
    rng = np.random.default_rng(seed)
    search, least = Search(lambda: stranger(rng), rng, foresee, breeds, learns), np.inf
    for _ in range(rounds):
        proposed = search.propose(COUNT)
        assert len(proposed) == COUNT
        search.judge([(identity, likeness(identity)) for identity in proposed])
        least = min(least, *map(likeness, proposed))
    return least


def test_children_have_shape_and_regions_of_those_who_were_judged() -> None:
    rng = np.random.default_rng(0)
    bank: list[Identity] = []

    def draw() -> Identity:
        bank.append(stranger(rng))
        return bank[-1]

    search = Search(draw, rng)
    for _ in range(DRAWN_ROUNDS):
        proposed = search.propose(COUNT)
        assert all(any(p is b for b in bank) for p in proposed)
        search.judge([(identity, likeness(identity)) for identity in proposed])
    child = search.propose(COUNT)[0]
    assert not any(child is b for b in bank)
    assert any(np.array_equal(child.shape, b.shape) for b in bank)
    for region in range(9):
        assert any(np.array_equal(child.texture[region], b.texture[region]) for b in bank)


def test_breeding_finds_who_is_less_alike_than_drawing_alone() -> None:
    bred = [least_alike(seed, 12, breeds=True) for seed in range(10)]
    drawn = [least_alike(seed, 12, breeds=False) for seed in range(10)]
    assert np.mean(bred) < np.mean(drawn) - 0.5


def test_who_learns_what_was_measured_finds_who_is_less_alike() -> None:
    learning = [least_alike(seed, 12, foresee=foresee, learns=True) for seed in range(10)]
    foreseeing = [least_alike(seed, 12, foresee=foresee) for seed in range(10)]
    assert np.mean(learning) < np.mean(foreseeing) - 0.5


def test_without_judgement_everybody_is_drawn() -> None:
    rng = np.random.default_rng(0)
    drawn = 0

    def draw() -> Identity:
        nonlocal drawn
        drawn += 1
        return stranger(rng)

    search = Search(draw, rng)
    for _ in range(5):
        search.propose(COUNT)
    assert drawn == 5 * COUNT


def test_the_same_chance_gives_the_same_people() -> None:
    first, second = (Search(lambda: stranger(np.random.default_rng(1)), np.random.default_rng(2)) for _ in range(2))
    for _ in range(4):
        a, b = first.propose(COUNT), second.propose(COUNT)
        assert [i.seed for i in a] == [i.seed for i in b]
        for search, proposed in ((first, a), (second, b)):
            search.judge([(identity, likeness(identity)) for identity in proposed])


def test_the_most_promising_are_tried() -> None:
    """Foresight that sees half of what matters finds better ones than none."""
    rng = np.random.default_rng(0)
    seen, blind = (Search(lambda: stranger(rng), rng, f).propose(COUNT) for f in (foresee, None))
    assert len(seen) == len(blind) == COUNT
    assert np.mean(list(map(likeness, seen))) < np.mean(list(map(likeness, blind))) - 1
    assert list(foresee(seen)) == sorted(foresee(seen))


def test_who_is_tried_for_a_key_does_not_depend_on_what_is_foreseen() -> None:
    def seeds(sign: float) -> list[int]:
        rng = np.random.default_rng(0)
        search = Search(lambda: stranger(rng), rng, lambda identities: np.array([sign * i.seed for i in identities], np.float32), breeds=False)
        return [i.seed for i in search.propose(COUNT)]

    assert seeds(1) == seeds(-1)
