"""Who the new face is: chosen by chance, within what the surroundings allow."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.generation.identity import IdentityBank, Surroundings, in_middling_light, together, whites_of
from masquerade.regions import EYES, SKIN

SKIN_TONE = np.array([60, 12, 18], np.float32)


def test_one_seed_gives_one_person_wherever_he_fits() -> None:
    bank = IdentityBank()
    near = [Surroundings(SKIN_TONE + d, 0.9, 30.0 + d) for d in (0.0, 0.5)]
    same = [np.array_equal(*(bank.draw(a, np.random.default_rng(seed)).texture for a in near)) for seed in range(20)]
    assert sum(same) > 10


@pytest.mark.parametrize(("female", "least", "most"), [(0.25, 0, 0), (0.4, 0.2, 0.6), (0.6, 1, 1), (None, 0.3, 0.7)])
def test_sex_follows_the_surroundings_and_chance_where_these_say_little(female: float | None, least: float, most: float) -> None:
    bank = IdentityBank()
    women = {bank.draw(Surroundings(SKIN_TONE, 0.9, 30.0), np.random.default_rng(s)).texture.tobytes() for s in range(400)}
    drawn = [bank.draw(Surroundings(SKIN_TONE, female, 30.0), np.random.default_rng(s)).texture.tobytes() for s in range(100)]
    assert least <= np.mean([texture in women for texture in drawn]) <= most


def test_young_and_old_surroundings_get_other_people() -> None:
    bank = IdentityBank()
    young, old = (
        {bank.draw(Surroundings(SKIN_TONE, 0.9, age), np.random.default_rng(s)).texture.tobytes() for s in range(30)} for age in (8.0, 75.0)
    )
    assert not young & old


def test_skin_in_dim_light_is_not_taken_for_dark_skin() -> None:
    parsing = np.full((128, 128), SKIN, np.uint8)
    parsing[50:60, 30:50] = EYES
    dim, bright = (np.full((128, 128, 3), level, np.uint8) for level in (90, 200))
    skin = np.array([40, 12, 18], np.float32)
    whites = [whites_of(crop, parsing) for crop in (dim, bright)]
    assert whites[0] is not None and whites[1] is not None
    assert in_middling_light(skin, whites[0])[0] > in_middling_light(skin, whites[1])[0] + 10
    assert np.array_equal(in_middling_light(skin, whites_of(dim, np.full_like(parsing, SKIN))), skin)


def test_dark_skin_gets_dark_textures() -> None:
    bank = IdentityBank()
    dark, light = (
        {
            bank.draw(Surroundings(np.array([tone, 14, 18], np.float32), 0.1, 35.0, 62.0), np.random.default_rng(s)).texture.tobytes()
            for s in range(30)
        }
        for tone in (30, 60)
    )
    assert not dark & light


def test_shapes_go_with_skin_too_but_less() -> None:
    bank = IdentityBank()

    def shapes(tone: float) -> list[bytes]:
        around = Surroundings(np.array([tone, 14, 18], np.float32), 0.1, 35.0, 62.0)
        return [bank.draw(around, np.random.default_rng(seed)).shape.tobytes() for seed in range(40)]

    def alike(tone: float) -> int:
        return sum(one == other for one, other in zip(shapes(60), shapes(tone), strict=True))

    assert alike(60) == 40 and alike(57) > 15 > alike(30)


def test_several_looks_suggest_their_mean() -> None:
    looks = [Surroundings(None, 0.9, 20.0), Surroundings(np.float32([60, 10, 10]), 0.3, 40.0, 70.0), Surroundings(np.float32([40, 20, 10]), 0.3)]
    mean = together(looks)
    assert mean.female == pytest.approx(0.5) and mean.age == 30 and mean.whites == 70
    assert mean.skin is not None and mean.skin.tolist() == [50, 15, 10]
    unknown = together([Surroundings(None, None)])
    assert unknown.skin is None and unknown.female is None and unknown.age is None
