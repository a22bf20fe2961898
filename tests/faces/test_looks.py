"""The plan of a detection."""

from __future__ import annotations

import numpy as np
import pytest

from masquerade.faces.looks import CELL_PX, MARGIN_PX, PART_CELLS, Look, busy_cells, looks_at_parts, looks_at_the_whole, parts_of
from masquerade.types import Face, Pixels


def with_a_spot(x: int, y: int) -> Pixels:
    """A gray photo, 3000 x 2000, with a white spot of 8 pixels."""
    photo = np.full((2000, 3000, 3), 100, np.uint8)
    photo[y : y + 8, x : x + 8] = 255
    return photo


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("part", [(100, 60, 164, 124), (-30, -20, 70, 50), (250, 150, 330, 260)])
def test_what_is_cut_out_comes_back_to_its_place(turns: int, part: tuple[int, int, int, int]) -> None:
    scaled = np.zeros((200, 300, 3), np.uint8)
    x, y = max(part[0] + 20, 5), max(part[1] + 30, 5)
    scaled[y, x] = 255
    look = Look(0.5, part, part, turns, 0.6, 0.6)
    (row,), (column,) = np.nonzero(look.cut(scaled)[..., 0])
    # The middle of the two photo pixels that one scaled pixel covers.
    assert np.allclose(look.back() @ [column, row, 1], [2 * x + 0.5, 2 * y + 0.5])


@pytest.mark.parametrize(("width", "height"), [(4000, 3000), (3000, 4000), (640, 480), (1, 1), (5000, 2)])
def test_whole_looks_show_the_whole_photo(width: int, height: int) -> None:
    looks = looks_at_the_whole(width, height)
    assert {look.turns for look in looks} == {0, 1, 2, 3}
    for look in looks:
        x0, y0, x1, y1 = look.part
        assert x0 <= 0
        assert y0 <= 0
        assert x1 >= max(1, width * look.scale - 1)
        assert y1 >= max(1, height * look.scale - 1)
        assert max(look.core) <= 1280


@pytest.mark.parametrize(("x", "y"), [(5, 5), (1500, 1000), (2990, 1990), (31, 65)])
def test_only_where_something_stands_out(x: int, y: int) -> None:
    looks = looks_at_parts(with_a_spot(x, y), 1.0, [], 0)
    assert looks
    for look in looks:
        assert look.part[0] <= x <= look.part[2]
        assert look.part[2] - look.part[0] <= 3 * CELL_PX + 2 * MARGIN_PX


def test_empty_photo_needs_no_look() -> None:
    assert looks_at_parts(np.full((500, 700, 3), 80, np.uint8), 1.0, [], 0) == []


def test_not_inside_a_large_face_that_is_known() -> None:
    large = Face((1000, 500, 2000, 1700), np.zeros((5, 2), np.float32), 0.9)
    small = Face((1450, 950, 1550, 1050), np.zeros((5, 2), np.float32), 0.9)
    photo = with_a_spot(1500, 1000)
    assert looks_at_parts(photo, 1.0, [large], 0) == []
    assert looks_at_parts(photo, 1.0, [small], 0) != []


@pytest.mark.parametrize("shape", [(1, 1), (33, 31), (500, 333)])
def test_cells_cover_the_photo(shape: tuple[int, int]) -> None:
    assert busy_cells(np.zeros((*shape, 3), np.uint8)).shape == tuple(-(-side // CELL_PX) for side in shape)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 1.0])
def test_parts_hold_every_busy_cell_once(share: float) -> None:
    busy = np.random.default_rng(0).random((95, 126)) < share
    covered = np.zeros(busy.shape, int)
    for x0, y0, x1, y1 in parts_of(busy):
        assert max(x1 - x0, y1 - y0) <= PART_CELLS
        covered[y0:y1, x0:x1] += 1
    assert (covered[busy] == 1).all()
    assert covered.max() <= 1
