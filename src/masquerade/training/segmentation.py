"""Trains SegmentationNet on hand-made parsing maps, and on maps that an earlier run read.

There are few hand-made ones, of well-lit photos. Where an earlier run is at hand it reads many other photos, as they are; the new network must read
the same in them out of focus, moved, occluded and in the dark (a noisy student, Xie et al. 2020).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from masquerade.networks.segmentation import CLASSES, SegmentationNet
from masquerade.training import augmentation as augment
from masquerade.training.data import Prepared, open_prepared
from masquerade.training.loader import Arrays, batches
from masquerade.training.loop import DEVICE, Average, Budget, Losses, Run, autocast, begin_from, normalised, on_device, one_cycle, set_rate, to_tensor

SMALL_PARTS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
"""Classes of few pixels; their errors weigh twice."""

GLASSES = 3
GLASSES_OFTEN = 8.0
"""Pictures with glasses are drawn so many times as often: 58 of the 1,000 have some, and half-seen glasses come out half."""

OCCLUDED = 0.35
"""Share of the pictures in which something lies before the face or beside it."""

BAR = {"skin": (1,), "nose": (2,), "eyes": (4, 5), "brows": (6, 7), "mouth": (10,), "lips": (11, 12), "hair": (13,)}
"""The groups of classes whose mean F1 is quoted."""


@dataclass(frozen=True)
class Preset:
    budget: Budget
    rate_encoder: float = 4e-4
    rate_decoder: float = 1.5e-3
    taught: float = 0.5
    """Share of each batch whose maps an earlier run read."""


PRESETS = {"cpu": Preset(Budget(26_000, 16)), "gpu": Preset(Budget(300_000, 64, save_every_s=40)), "paper": Preset(Budget(1_700_000, 32))}


def train(data: Path, out: Path, preset: Preset, seed: int = 0, start: Path | None = None, photos: Path | None = None) -> None:
    """Trains until the preset's budget is spent; `out` holds the checkpoint and the log.

    Args:
        start: checkpoint of an earlier run, from whose averaged weights this one begins.
        photos: prepared data whose maps the earlier run reads; None trains on hand-made maps alone.
    """
    torch.manual_seed(seed)
    prepared = open_prepared(data)
    network = on_device(SegmentationNet())
    groups = [
        {"params": network.encoder.parameters(), "lr": preset.rate_encoder},
        {"params": [*network.up.parameters(), *network.head.parameters()], "lr": preset.rate_decoder},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-2)
    if start:
        begin_from(start, {"network": network})
    teacher = copy.deepcopy(network).eval().requires_grad_(False) if start and photos else None
    average = Average(network, 0.995)
    run = Run(out, preset.budget, {"network": network, "optimizer": optimizer, "average": average})
    weight = torch.ones(len(CLASSES), device=DEVICE)
    weight[list(SMALL_PARTS)] = 2
    weight[GLASSES] = 4

    taught = round(preset.taught * preset.budget.batch) if teacher else 0
    source = batches(_Make(data, preset.budget.batch - taught), seed)
    others = batches(_Taught(photos, taught), seed + 1) if photos and taught else None

    def one_step(step: int) -> Losses:
        set_rate(optimizer, one_cycle(run.progress))
        pictures, maps = next(source)
        if teacher and others:
            clear, seen, covered = next(others)
            with torch.no_grad(), autocast():
                read = teacher(normalised(clear)).argmax(1).to(maps.dtype)
            pictures, maps = torch.cat([pictures, seen]), torch.cat([maps, torch.where(covered > 0, 0, read)])
        maps = maps.long()
        network.train()
        with autocast():
            logits = network(normalised(pictures))
        logits = logits.float()
        entropy = F.cross_entropy(logits, maps, weight)
        dice = _dice_loss(logits, maps)
        optimizer.zero_grad(set_to_none=True)
        (entropy + 0.5 * dice).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return {"entropy": entropy, "dice": dice}

    run.train(one_step, look=lambda: print(_summary(average.network, prepared, "val"), flush=True))
    print(_summary(average.network, prepared, "test"), flush=True)
    print(_summary(average.network, prepared, "test", veiled=True), flush=True)


@cache
def _drawn_from(data: Path) -> tuple[Prepared, NDArray[np.int64], NDArray[np.float64]]:
    """Prepared data, its training rows, and how often each is drawn."""
    prepared = open_prepared(data)
    assert prepared.truth is not None
    rows = prepared.rows("train")
    often = np.where((prepared.truth[rows] == GLASSES).any((1, 2)), GLASSES_OFTEN, 1.0)
    return prepared, rows, often / often.sum()


@dataclass(frozen=True)
class _Make:
    """Makes batches: pictures N x S x S x 3 uint8 and their maps N x S x S uint8."""

    data: Path
    count: int

    def __call__(self, rng: np.random.Generator) -> Arrays:
        prepared, rows, often = _drawn_from(self.data)
        assert prepared.truth is not None
        pictures, maps = [], []
        for row in rng.choice(rows, self.count, p=often):
            picture, parsing = np.array(prepared.crops[row]), np.array(prepared.truth[row])
            if rng.random() < 0.5:
                picture, parsing = augment.mirrored(picture, parsing)
            picture, parsing = augment.moved(picture, parsing, rng)
            if rng.random() < OCCLUDED:
                other = rng.integers(len(prepared.crops))
                picture, parsing = augment.occluded(picture, parsing, prepared.crops[other], prepared.truth[other], rng)
            pictures.append(augment.as_taken(picture, rng))
            maps.append(parsing)
        return np.stack(pictures), np.stack(maps)


@dataclass(frozen=True)
class _Taught:
    """Makes batches for the teacher: pictures as they are, the same as the student sees them, and where something covers them."""

    photos: Path
    count: int

    def __call__(self, rng: np.random.Generator) -> Arrays:
        crops, rows = _photos(self.photos)
        clear, seen, covered = [], [], []
        for row in rng.choice(rows, self.count):
            picture, cover = np.array(crops[row]), np.full(crops.shape[1:3], augment.SKIN, np.uint8)
            if rng.random() < 0.5:
                picture = np.ascontiguousarray(picture[:, ::-1])
            picture, _ = augment.moved(picture, cover, rng)
            clear.append(picture)
            if rng.random() < OCCLUDED:
                picture, cover = augment.occluded(picture, cover, crops[rng.integers(len(crops))], None, rng)
            seen.append(augment.as_taken(picture, rng))
            covered.append(cover == augment.BACKGROUND)
        return np.stack(clear), np.stack(seen), np.stack(covered)


@cache
def _photos(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    prepared = open_prepared(folder)
    return prepared.crops, prepared.rows("train")


def _dice_loss(logits: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """One minus the mean soft F1 over the classes present: what the bar counts."""
    share = logits.softmax(1)
    truth = F.one_hot(maps, logits.shape[1]).permute(0, 3, 1, 2).to(share.dtype)
    axes = (0, 2, 3)
    both, either, present = (share * truth).sum(axes), (share + truth).sum(axes), truth.sum(axes) > 0
    return 1 - ((2 * both + 1) / (either + 1))[present].mean()


def figures(network: torch.nn.Module, prepared: Prepared, split: str, veiled: bool = False) -> tuple[dict[str, float], dict[str, float]]:
    """F1 of the groups in `BAR` and IoU of every class, counted over all pixels of a split; with `veiled` out of focus, moved or in the dark."""
    assert prepared.truth is not None
    network.eval()
    rows, rng = prepared.rows(split), np.random.default_rng(0)
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for start in range(0, len(rows), 32):
        part = rows[start : start + 32]
        pictures = np.stack([augment.veiled(p, rng) for p in prepared.crops[part]]) if veiled else prepared.crops[part]
        with torch.no_grad():
            guess = network(to_tensor(pictures)).argmax(1).cpu().numpy()
        np.add.at(confusion, (prepared.truth[part].reshape(-1), guess.reshape(-1)), 1)
    f1 = {}
    for name, classes in BAR.items():
        index = list(classes)
        both = confusion[np.ix_(index, index)].sum()
        f1[name] = float(2 * both / max(1, confusion[index].sum() + confusion[:, index].sum()))
    overlap = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - overlap
    return f1, {c: float(o / u) if u else float("nan") for c, o, u in zip(CLASSES, overlap, union, strict=True)}


def _summary(network: torch.nn.Module, prepared: Prepared, split: str, veiled: bool = False) -> str:
    f1, iou = figures(network, prepared, split, veiled)
    mean = sum(f1.values()) / len(f1)
    parts = " ".join(f"{k} {v:.3f}" for k, v in f1.items())
    return f"{split}{' veiled' * veiled}: mean F1 {mean:.4f} ({parts}); IoU " + " ".join(f"{k} {v:.3f}" for k, v in iou.items())
