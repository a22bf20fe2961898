"""New faces show less of an expression than they were asked for, each in its own way: what to ask for, so that they show what is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from masquerade.faces.landmarks import CONDITION
from masquerade.generation.replacement import Reading
from masquerade.types import Floats

ASKED = len(CONDITION)

AGAIN = 0.9
"""By so much of what is missing more is asked for, the second time."""

FARTHEST = np.array([0.35, 0.35, 0.35, 0.15, 0.25, 0.1, 0.2, 0.2, 0.0, 0.0], np.float32)
"""But by no more than this: beyond it lie expressions that no face has. Gaze is drawn as it is asked for, and read less surely than it is drawn."""


@dataclass(frozen=True)
class Question:
    """What a clip's new face is asked for to see how it answers: numbers of the condition that change together, and their values.

    `least`: an answer counts as rising by at least so much of what is asked for. Where a face hardly answers, noise would become a grimace.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    least: float


# Not the eyes: asked to close them more than they answer, faces in clips lose them, behind glasses altogether.
QUESTIONS = (
    Question(("mouth_opening",), (0.0, 0.05, 0.1, 0.15, 0.2, 0.27, 0.36), 0.4),
    Question(("mouth_width",), (0.7, 0.85, 1.0, 1.15, 1.3), 0.7),
    Question(("mouth_lift",), (-0.03, 0.04, 0.1, 0.17), 0.7),
)


def asked_again(reading: Reading, shown: Floats) -> Reading:
    """What to ask for after a new face showed something else than what was wanted.

    Args:
        reading: what was wanted.
        shown: ten numbers, pose and expression of what was drawn.
    """
    missing = np.clip(AGAIN * (reading.condition[:ASKED] - shown), -FARTHEST, FARTHEST)
    return replace(reading, condition=np.concatenate([reading.condition[:ASKED] + missing, reading.condition[ASKED:]]).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Answers:
    """How one new face answers to what it is asked for.

    Attributes:
        curves: by place in the condition, values that were asked for and those that were shown, both rising.
    """

    curves: Mapping[int, tuple[Floats, Floats]]

    @staticmethod
    def of(reading: Reading, show: Callable[[Reading], Floats]) -> Answers:
        """Asks a face for one expression after another.

        Args:
            reading: what it is otherwise asked for.
            show: draws what it is asked for, and reads ten numbers of pose and expression from what is drawn.
        """
        curves = {}
        for question in QUESTIONS:
            places, asked = [CONDITION.index(name) for name in question.names], np.array(question.values, np.float32)
            shown = []
            for value in asked:
                condition = reading.condition.copy()
                condition[places] = value
                shown.append(show(replace(reading, condition=condition)))
            steps = question.least * np.diff(asked, prepend=asked[0])
            for place in places:
                curves[place] = asked, _rising(np.array([s[place] for s in shown], np.float32), steps)
        return Answers(curves)

    def asking(self, wanted: Floats) -> Floats:
        """What to ask for, so that the face shows the ten numbers that are wanted."""
        condition = wanted.copy()
        for place, (asked, shown) in self.curves.items():
            condition[place] = np.interp(wanted[place], shown, asked)
        return condition


def _rising(values: Floats, steps: Floats) -> Floats:
    """The values, made to rise by at least these steps."""
    rising = values.copy()
    for index in range(1, len(values)):
        rising[index] = max(values[index], rising[index - 1] + steps[index])
    return rising
