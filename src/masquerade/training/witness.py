"""A step before SurroundingsNet's training: says of every prepared face what sex and age it is taken for.

The witness is that network, looking at faces instead of what surrounds them. It learns from the pictures whose labels are known and tells those of
the others; it never runs at work.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from masquerade.errors import MasqueradeError
from masquerade.generation.surroundings import AGE_MIDDLE, AGE_UNIT
from masquerade.networks.surroundings import SurroundingsNet
from masquerade.training import augmentation as augment
from masquerade.training.data import PEOPLE, Prepared, open_prepared
from masquerade.training.loader import Arrays, batches
from masquerade.training.loop import Average, Budget, Losses, Run, autocast, normalised, on_device, one_cycle, set_rate, to_tensor

UTK = re.compile(r"(\d+)_([01])_(\d)_")
"""UTKFace's names: age, sex (1 female), origin (1 Black, 3 Indian, 4 Hispanic, Latino or Middle Eastern, and others)."""

SIDE = 96
"""Crops are shrunk to this side: twice as fast."""

BUDGET = Budget(60_000, 64)
RATE = 1.5e-3

UNSURE = 0.05
"""No label is quite sure: in both collections one in thirty or so is wrong."""


def labels_of(prepared: Prepared, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sex (1 female, 0 male), age and origin of some rows, -1 where unknown: by the folders `female/` and `male/`, or by UTKFace's file names."""
    sexes, ages, origins = np.full((3, len(rows)), -1)
    for index, row in enumerate(rows):
        path = Path(prepared.table[row]["file"])
        if match := UTK.match(path.name):
            ages[index], sexes[index], origins[index] = (int(number) for number in match.groups())
        elif "female" in path.parts:
            sexes[index] = 1
        elif "male" in path.parts:
            sexes[index] = 0
    return sexes, ages, origins


def told_loss(told: torch.Tensor, sexes: torch.Tensor, ages: torch.Tensor) -> dict[str, torch.Tensor]:
    """What is wrong with what SurroundingsNet tells.

    Args:
        told: N x 2, from the network.
        sexes: N, probability of a woman; NaN where unknown.
        ages: N, years; NaN where unknown.
    """
    known, aged = sexes.isfinite(), ages.isfinite()
    sex = F.binary_cross_entropy_with_logits(told[known, 0], sexes[known]) if known.any() else told.sum() * 0
    age = F.smooth_l1_loss(told[aged, 1], (ages[aged] - AGE_MIDDLE) / AGE_UNIT, beta=0.3) if aged.any() else told.sum() * 0
    return {"sex": sex, "age": age}


def steps(
    run: Run,
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average,
    source: Iterator[tuple[torch.Tensor, ...]],
    wrong: Callable[..., dict[str, torch.Tensor]] = told_loss,
) -> Callable[[int], Losses]:
    """What `Run.train` calls to train a SurroundingsNet, or a network of its layers, on batches of pictures and labels; `wrong` compares what is told
    with the labels, such as `told_loss`."""

    def one_step(step: int) -> Losses:
        set_rate(optimizer, one_cycle(run.progress))
        pictures, *labels = next(source)
        network.train()
        with autocast():
            told = network(normalised(pictures))
        losses = wrong(told.float(), *labels)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return losses

    return one_step


def train(data: Path, out: Path, budget: Budget = BUDGET, seed: int = 0) -> None:
    """Trains the witness in `out`, then writes people.npy into `data`: N x 2 float32, probability of a woman and age.

    What is known of a picture is kept; photos of one person, where they are known to be, are taken for the same sex.
    """
    torch.manual_seed(seed)
    network = on_device(SurroundingsNet())
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    average = Average(network, 0.995)
    run = Run(out, budget, {"network": network, "optimizer": optimizer, "average": average})
    source = batches(_Make(data, budget.batch), seed)

    run.train(steps(run, network, optimizer, average, source))
    _write(data, average.network)


class Witness:
    """A trained witness: says what sex and age faces are taken for."""

    def __init__(self, checkpoint: Path) -> None:
        network = SurroundingsNet(pretrained=False)
        network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu")["parts"]["average"])
        self._network = on_device(network.eval())

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Canonical crops N x S x S x 3 to N x 2: logarithm of the odds of a woman, and years."""
        return told_by(self._network, crops)


def told_by(network: torch.nn.Module, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """As a `Witness` tells, by a network at hand; the mean of crops and their mirror images."""
    pictures = np.stack([_small(crop) for crop in crops])
    with torch.no_grad(), autocast():
        both = network(to_tensor(pictures)) + network(to_tensor(np.ascontiguousarray(pictures[:, :, ::-1])))
    odds, ages = both.float().cpu().numpy().T / 2
    return np.stack([odds, AGE_MIDDLE + AGE_UNIT * ages], 1)


@dataclass(frozen=True, eq=False)
class _Known:
    """Prepared data, the training rows whose labels are known, and these: probability of a woman, age (NaN: unknown)."""

    prepared: Prepared
    rows: NDArray[np.int64]
    sexes: NDArray[np.float32]
    ages: NDArray[np.float32]


@cache
def _known(data: Path) -> _Known:
    prepared = open_prepared(data)
    rows = prepared.rows("train")
    sexes, ages, _ = labels_of(prepared, rows)
    known = sexes >= 0
    if not known.any():
        raise MasqueradeError(f"{data} has no pictures whose labels are known: prepare UTKFace, or folders called female and male.")
    sure = np.where(sexes[known] == 1, 1 - UNSURE, UNSURE)
    return _Known(prepared, rows[known], sure.astype(np.float32), np.where(ages[known] < 0, np.nan, ages[known]).astype(np.float32))


@dataclass(frozen=True)
class _Make:
    """Makes batches: crops N x S x S x 3 uint8, sexes and ages."""

    data: Path
    count: int

    def __call__(self, rng: np.random.Generator) -> Arrays:
        known = _known(self.data)
        chosen = rng.integers(len(known.rows), size=self.count)
        pictures = []
        for row in known.rows[chosen]:
            picture = np.array(known.prepared.crops[row])
            if rng.random() < 0.5:
                picture = np.ascontiguousarray(picture[:, ::-1])
            picture, _ = augment.moved(picture, picture[..., 0], rng, turn=15, zoom=0.15, shift=0.05)
            pictures.append(_small(augment.as_taken(picture, rng)))
        return np.stack(pictures), known.sexes[chosen], known.ages[chosen]


def _small(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _write(data: Path, network: torch.nn.Module) -> None:
    prepared = open_prepared(data)
    rows = np.arange(len(prepared.crops))
    told = [told_by(network, np.array(prepared.crops[start : start + 128])) for start in range(0, len(rows), 128)]
    odds, ages = np.concatenate(told).T.copy()
    known, years, _ = labels_of(prepared, rows)
    held = np.setdiff1d(np.flatnonzero(known >= 0), prepared.rows("train"))
    aged = held[years[held] >= 0]
    if len(aged):
        right, apart = np.mean((odds[held] > 0) == known[held]), np.abs(ages - years)[aged].mean()
        print(f"{len(held)} held-out pictures: sex right in {right:.1%}, ages off by {apart:.1f} years", flush=True)
    for person in np.unique(prepared.identities[prepared.identities >= 0]):
        theirs = prepared.identities == person
        odds[theirs] = odds[theirs].mean()
    sexes = np.where(known >= 0, np.where(known == 1, 1 - UNSURE, UNSURE), 1 / (1 + np.exp(-odds)))
    np.save(data / PEOPLE, np.stack([sexes, np.where(years >= 0, years, ages)], 1).astype(np.float32))


def main() -> None:
    """`python -m masquerade.training.witness DATA --out RUN`."""
    parser = argparse.ArgumentParser(description="Says of every prepared face what sex and age it is taken for; writes people.npy.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; goes on where a run in it stopped")
    args = parser.parse_args()
    train(args.data, args.out)


if __name__ == "__main__":
    main()
