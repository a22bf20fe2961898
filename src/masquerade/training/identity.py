"""Trains IdentityNet: contrastive loss with a margin (Hadsell et al. 2006; used by CIAGAN) and, where there is a teacher, distillation.

teacher.npy beside the crops, if there, holds the embeddings of any face recogniser: N x D float16 unit vectors, NaN where it has none.
A teacher must not be one of the recognisers that judge results.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from masquerade.errors import MasqueradeError
from masquerade.networks.identity import NUMBERS, IdentityNet
from masquerade.training import augmentation as augment
from masquerade.training.data import Prepared, open_prepared
from masquerade.training.loader import Arrays, batches
from masquerade.training.loop import Average, Budget, Losses, Run, autocast, begin_from, normalised, on_device, one_cycle, set_rate, to_tensor
from masquerade.types import Pixels

FACE_CENTRE, FACE_RADII = (0.5, 0.55), (0.34, 0.42)
"""Ellipse in shares of the crop's side; what lies outside must not decide who somebody is."""


@dataclass(frozen=True)
class Preset:
    """Half of a batch are pairs of one person, the rest any faces with a teacher's embedding (or more pairs, without one)."""

    budget: Budget
    rate: float = 2e-3
    margin: float = 1.2
    cosine: float = 1.0
    relations: float = 8.0


PRESETS = {"cpu": Preset(Budget(96_000, 64)), "gpu": Preset(Budget(1_500_000, 256, save_every_s=40)), "paper": Preset(Budget(5_000_000, 128))}


@dataclass(frozen=True, eq=False)
class People:
    """Crops with identities (-1: unknown); `teacher` N x D or None; `photos`: the rows of every person who has two or more in training."""

    crops: NDArray[np.uint8]
    identities: NDArray[np.int64]
    teacher: NDArray[np.float16] | None
    taught: NDArray[np.int64]
    photos: list[NDArray[np.int64]]


def people_of(prepared: Prepared) -> People:
    """Everything that IdentityNet trains on.

    Raises:
        MasqueradeError: nobody has two photos in the train split.
    """
    path = prepared.folder / "teacher.npy"
    teacher = np.load(path) if path.exists() else None
    rows = prepared.rows("train")
    taught = rows[np.isfinite(teacher[rows, 0])] if teacher is not None else rows[:0]
    identities = prepared.identities
    known = rows[identities[rows] >= 0]
    known = known[np.argsort(identities[known], kind="stable")]
    groups = np.split(known, np.flatnonzero(np.diff(identities[known])) + 1)
    photos = [g for g in groups if len(g) > 1]
    if len(photos) < 2:
        raise MasqueradeError(f"{prepared.folder} knows nobody by two photos: prepare data with an identity.csv.")
    return People(prepared.crops, identities, teacher, taught, photos)


def train(data: Path, out: Path, preset: Preset, seed: int = 0, start: Path | None = None) -> None:
    """Trains until the preset's budget is spent; `out` holds checkpoint, log and the test figures; `start` is a checkpoint to begin from."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    prepared = open_prepared(data)
    people = people_of(prepared)
    network, to_teacher = on_device(IdentityNet()), on_device(_projection(people, rng))
    optimizer = torch.optim.AdamW([*network.parameters(), *to_teacher.parameters()], lr=preset.rate, weight_decay=5e-3)
    if start:
        begin_from(start, {"network": network, "to_teacher": to_teacher})
    average = Average(network, 0.99)
    run = Run(out, preset.budget, {"network": network, "to_teacher": to_teacher, "optimizer": optimizer, "average": average})

    source = batches(_Make(data, preset.budget.batch), seed)

    def one_step(step: int) -> Losses:
        set_rate(optimizer, one_cycle(run.progress))
        pictures, identities, truth = next(source)
        pairs = len(identities) // 2
        network.train()
        with autocast():
            codes = network(normalised(pictures))
        codes = F.normalize(codes.float(), dim=1)
        losses = {"contrastive": contrastive_loss(codes[: 2 * pairs], identities, preset.margin)}
        if people.teacher is not None:
            truth = truth.float()
            seen = truth.isfinite().all(1)
            cosine, relations = distillation_losses(codes[seen], truth[seen], to_teacher)
            losses |= {"cosine": preset.cosine * cosine, "relations": preset.relations * relations}
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return losses

    run.train(one_step, look=lambda: print(f"val: AUC {verification_auc(average.network, prepared, 'val'):.4f}", flush=True))
    print(f"test: AUC {verification_auc(average.network, prepared, 'test'):.4f}", flush=True)


def contrastive_loss(codes: torch.Tensor, identities: torch.Tensor, margin: float) -> torch.Tensor:
    """Pulls the two photos of a pair together, pushes each from the nearest stranger in the batch: half same, half different.

    Source: Hadsell, Chopra, LeCun, Dimensionality reduction by learning an invariant mapping, 2006.

    Args:
        codes: 2P x 128 unit vectors; 2i and 2i + 1 are of one person.
        identities: 2P.
        margin: distance that strangers must keep, 0 to 2.
    """
    # The small number keeps the root's slope finite.
    distances = (2 - 2 * codes @ codes.T).clamp(min=0).add(1e-6).sqrt()
    same = identities[:, None] == identities[None]
    strangers = distances.masked_fill(same, torch.inf).min(1).values
    partners = distances[torch.arange(0, len(codes), 2), torch.arange(1, len(codes), 2)]
    return (partners.square().mean() + F.relu(margin - strangers).square().mean()) / 2


def distillation_losses(codes: torch.Tensor, truth: torch.Tensor, to_teacher: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """How far the codes, led into the teacher's space, point away from its embeddings; how far their similarities differ from its own.

    Args:
        codes: N x 128 unit vectors.
        truth: N x D, the teacher's.
        to_teacher: 128 to D.
    """
    truth = F.normalize(truth, dim=1)
    cosine = 1 - F.cosine_similarity(to_teacher(codes), truth).mean()
    others = ~torch.eye(len(codes), dtype=torch.bool, device=codes.device)
    relations = F.mse_loss((codes @ codes.T)[others], (truth @ truth.T)[others])
    return cosine, relations


def _projection(people: People, rng: np.random.Generator) -> nn.Linear:
    """The student's numbers begin as the teacher's principal directions."""
    if people.teacher is None:
        return nn.Linear(NUMBERS, 1, bias=False)
    size = people.teacher.shape[1]
    rows = rng.choice(people.taught, min(len(people.taught), 8000), replace=False)
    axes = torch.linalg.svd(torch.from_numpy(people.teacher[rows].astype(np.float32)), full_matrices=False)[2]
    layer = nn.Linear(NUMBERS, size, bias=False)
    known = min(NUMBERS, len(axes))
    with torch.no_grad():
        layer.weight[:, :known] = axes[:known].T
    return layer


@cache
def _drawn_from(data: Path) -> People:
    return people_of(open_prepared(data))


@dataclass(frozen=True)
class _Make:
    """Makes batches: pictures N x S x S x 3 uint8, first the pairs; identities of the pairs; the teacher's embeddings N x D."""

    data: Path
    count: int

    def __call__(self, rng: np.random.Generator) -> Arrays:
        people = _drawn_from(self.data)
        rows, pairs = _rows(people, self.count, rng)
        pictures = np.stack([_changed(people, row, rng) for row in rows])
        taught = np.zeros((len(rows), 0), np.float16) if people.teacher is None else people.teacher[rows]
        return pictures, people.identities[rows[: 2 * pairs]], taught


def _rows(people: People, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], int]:
    """Rows of a batch, first the pairs; and the number of pairs."""
    pairs = count // 4 if len(people.taught) else count // 2
    chosen = rng.choice(len(people.photos), pairs, replace=pairs > len(people.photos))
    both = [rng.choice(people.photos[c], 2, replace=False) for c in chosen]
    return np.concatenate([*both, rng.choice(people.taught, count - 2 * pairs) if len(people.taught) else people.taught]), pairs


def _changed(people: People, row: int, rng: np.random.Generator) -> Pixels:
    """A training picture: moved a little, in other light, spoilt; sometimes with other surroundings."""
    picture = np.array(people.crops[row])
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    if rng.random() < 0.3:
        picture = _surrounded(picture, people.crops[rng.integers(len(people.crops))], rng)
    unused = np.zeros(picture.shape[:2], np.uint8)
    picture, _ = augment.moved(picture, unused, rng, turn=6, zoom=0.06, shift=0.025)
    picture = augment.recoloured(picture, rng, 0.7)
    return augment.degraded(picture, rng) if rng.random() < 0.5 else picture


def _surrounded(picture: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """The face before another picture's hair and background, or before plain gray."""
    side = len(picture)
    inner = np.zeros((side, side), np.float32)
    centre, radii = (tuple(int(v * side) for v in values) for values in (FACE_CENTRE, FACE_RADII))
    cv2.ellipse(inner, centre, radii, 0, 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(inner, (0, 0), 2.0)[..., None]
    behind = np.full_like(picture, 127) if rng.random() < 0.5 else other
    return (soft * picture + (1 - soft) * behind).astype(np.uint8)


def codes_of(network: nn.Module, crops: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Codes of some rows, N x 128; mean of the crop's and its mirror image's."""
    network.eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(rows), 64):
            pictures = to_tensor(crops[rows[start : start + 64]])
            parts.append(F.normalize(network(pictures) + network(pictures.flip(3)), dim=1).cpu().numpy())
    return np.concatenate(parts)


def verification_auc(network: nn.Module, prepared: Prepared, split: str) -> float:
    """Chance that two photos of one person are more alike than two of strangers, over all pairs of a split's known people."""
    rows = prepared.rows(split)
    rows = rows[prepared.identities[rows] >= 0]
    codes, identities = codes_of(network, prepared.crops, rows), prepared.identities[rows]
    first, second = np.triu_indices(len(rows), 1)
    return area_under_curve((codes @ codes.T)[first, second], identities[first] == identities[second])


def area_under_curve(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve, 0 to 1; NaN where one of the two kinds is missing."""
    yes, no = scores[positive], np.sort(scores[~positive])
    if not len(yes) or not len(no):
        return float("nan")
    below = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(below.mean() / 2 / len(no))
