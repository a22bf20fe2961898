"""Photos out of focus and black and white, for HarmonizationNet."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from masquerade.training.degradation import Degradation, degradation_of  # noqa: E402


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def detail(x: torch.Tensor) -> torch.Tensor:
    return (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3))


def test_the_further_the_softer_and_sharp_pictures_stay() -> None:
    x = pictures(1).expand(4, -1, -1, -1)
    soft = Degradation(torch.tensor([0.0, 0.2, 0.6, 1.0]), torch.zeros(4, dtype=torch.bool))(x)
    assert torch.equal(soft[0], x[0])
    details = detail(soft)
    assert (details[1:] < 0.8 * details[:-1]).all()
    assert (soft.mean((1, 2, 3)) - x.mean((1, 2, 3))).abs().max() < 0.02


def test_gray_pictures_have_no_colour_and_the_others_keep_theirs() -> None:
    x = pictures(2)
    out = Degradation(torch.zeros(2), torch.tensor([True, False]))(x)
    assert torch.equal(out[0, 0], out[0, 1]) and torch.equal(out[0, 1], out[0, 2])
    assert torch.equal(out[1], x[1])


def test_every_call_does_the_same_and_rows_can_be_chosen() -> None:
    torch.manual_seed(1)
    degraded, x = degradation_of(8, 1.0, 0.5, "cpu"), pictures(8)
    whole = degraded(x)
    assert torch.equal(degraded(x), whole)
    assert torch.equal(degraded(x[5:], slice(5, None)), whole[5:])


def test_shares_are_kept() -> None:
    torch.manual_seed(2)
    drawn = degradation_of(2000, 0.3, 0.1, "cpu")
    assert 0.25 < (drawn.blur > 0).float().mean() < 0.35 and 0.07 < drawn.gray.float().mean() < 0.13
    assert drawn.blur.min() >= 0 and drawn.blur.max() <= 1
