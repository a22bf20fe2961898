"""New faces are asked for what makes them show what is wanted."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.faces.landmarks import CONDITION
from masquerade.generation.asking import FARTHEST, QUESTIONS, Answers, asked_again
from masquerade.generation.identity import Surroundings
from masquerade.generation.replacement import Reading
from masquerade.types import Floats

MOUTH, LEFT_EYE, RIGHT_EYE = (CONDITION.index(name) for name in ("mouth_opening", "left_eye_opening", "right_eye_opening"))


def reading(**wanted: float) -> Reading:
    condition = np.zeros(11, np.float32)
    for name, value in wanted.items():
        condition[CONDITION.index(name)] = value
    return Reading(np.ones((128, 128), np.uint8), np.ones((128, 128), np.float32), condition, Surroundings(None, 0.5))


def test_what_was_missing_is_asked_for_once_more() -> None:
    shown = np.zeros(10, np.float32)
    shown[LEFT_EYE] = 0.3
    asked = asked_again(reading(mouth_opening=0.1, left_eye_opening=0.2), shown).condition
    assert asked[MOUTH] > 0.15
    assert asked[LEFT_EYE] < 0.15
    assert asked[RIGHT_EYE] == 0


def test_nothing_grotesque_is_asked_for() -> None:
    asked = asked_again(reading(mouth_opening=0.3), np.full(10, -5, np.float32)).condition
    assert (np.abs(asked[:10] - reading(mouth_opening=0.3).condition[:10]) <= FARTHEST + 1e-6).all()


def half(asked: Reading) -> Floats:
    return asked.condition[:10] / 2


@pytest.mark.parametrize("wanted", [0.02, 0.09, 0.15])
def test_a_face_that_answers_by_half_is_asked_for_twice_as_much(wanted: float) -> None:
    answers = Answers.of(reading(), half)
    condition = np.full(10, wanted, np.float32)
    asked = answers.asking(condition)
    assert asked[MOUTH] == pytest.approx(2 * wanted, abs=1e-3)
    assert (asked[:3] == wanted).all() and asked[LEFT_EYE] == asked[RIGHT_EYE] == np.float32(wanted) and (condition == np.float32(wanted)).all()


def test_a_face_that_does_not_answer_is_not_made_to_grimace() -> None:
    asked = Answers.of(reading(), lambda asked: np.full(10, 0.1, np.float32)).asking(np.full(10, 0.11, np.float32))
    assert 0 <= asked[MOUTH] <= 0.05
    question = next(q for q in QUESTIONS if "mouth_opening" in q.names)
    assert Answers.of(reading(), half).asking(np.full(10, 5, np.float32))[MOUTH] == pytest.approx(question.values[-1])
