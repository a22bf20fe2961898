"""The measuring of recall: made-up detectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from masquerade.evaluation.recall import is_hit, markdown, measure
from masquerade.evaluation.scenes import Light, Placed, Scene
from masquerade.types import Box, Face


@pytest.fixture
def scene() -> Scene:
    faces = tuple(Placed((60.0 + 100 * i, 80.0), size, 0, "normal") for i, size in enumerate((12, 32, 48, 60)))
    return Scene(np.zeros((200, 500, 3), np.uint8), faces)


def truth_of(scene: Scene) -> list[Face]:
    return [face_of((x - s / 2, y - 0.6 * s, x + s / 2, y + 0.6 * s)) for s, (x, y) in ((p.size_px, p.centre) for p in scene.faces)]


def face_of(box: Box) -> Face:
    return Face(box, np.zeros((5, 2), np.float32), 0.9)


def test_perfect_detector(scene: Scene) -> None:
    results, false_alarms = measure(lambda photo: truth_of(scene), [scene])
    assert [placed for placed, _ in results] == list(scene.faces)
    assert all(hit for _, hit in results)
    assert false_alarms == 0


def test_blind_detector(scene: Scene) -> None:
    results, false_alarms = measure(lambda photo: [], [scene, scene])
    assert len(results) == 8
    assert not any(hit for _, hit in results)
    assert false_alarms == 0


def test_detector_that_looks_beside(scene: Scene) -> None:
    beside = [replace(f, box=(f.box[0] + f.width, f.box[1], f.box[2] + f.width, f.box[3])) for f in truth_of(scene)]
    results, false_alarms = measure(lambda photo: beside, [scene])
    assert not any(hit for _, hit in results)
    assert false_alarms == 4


@pytest.mark.parametrize(
    ("box", "hit"),
    [((40, 38, 80, 86), True), ((50, 48, 90, 96), True), ((60, 38, 100, 86), False), ((55, 55, 65, 67), False), ((0, 0, 120, 130), False)],
)
def test_hit_means_near_and_about_as_large(box: Box, hit: bool) -> None:
    assert is_hit(Placed((60, 62), 40, 0, "normal"), face_of(box)) is hit


def test_table() -> None:
    def of(size: int, angle: int, light: Light) -> Placed:
        return Placed((0, 0), size, angle, light)

    rows = markdown([(of(12, 0, "normal"), True), (of(12, 0, "normal"), False), (of(12, 90, "dark"), False), (of(96, 30, "bright"), True)]).split(
        "\n"
    )
    assert rows[0] == "| face, px | 0° | 30° | 60° | 90° | normal | dark | bright | all |"
    assert rows[2] == "| 12 | 0.50 | - | - | - | 0.50 | - | - | 0.33 |"
    assert rows[7] == "| 96 | - | - | - | - | - | - | 1.00 | 1.00 |"
