"""Trains ShapeVAE.

Three things keep new faces different and right:

- the latent is often read from the mirror image or from another photo of the same person, so that it carries the person, not the pose;
- half of each step draws maps with another person's latent: a critic must take them for real and read the wanted pose and expression
  from them, and the encoder must read the latent again;
- the KL weight is small: a latent that costs too much is not used, and everybody gets the average face.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from masquerade.networks.shape import SIDE, MapCritic, ShapeVAE
from masquerade.regions import EYES, GLASSES, INNER, MERGED, OUTER
from masquerade.training.data import Prepared, open_prepared
from masquerade.training.loop import DEVICE, Average, Budget, Losses, Run, autocast, begin_from, flat_then_linear, on_device, set_rate, write_grid
from masquerade.training.maps import colours, one_hot, shape_planes

GLASSES_SHARE = 0.003
"""Share of the crop's pixels that glasses must cover to count as worn."""


WEIGHT = {"eyes": 3.0, "brows": 3.0, "mouth": 2.0, "upper_lip": 2.0, "lower_lip": 2.0, "glasses": 2.0}
"""Errors on small parts weigh more: where a brow's place is uncertain, skin would be the safest guess everywhere."""


@dataclass(frozen=True)
class Preset:
    budget: Budget
    rate: float = 1e-3
    kl: float = 0.05
    adversarial: float = 4.0
    condition: float = 20.0
    reread: float = 20.0


PRESETS = {
    "cpu": Preset(Budget(60_000, 32)),
    "gpu": Preset(Budget(1_000_000, 128, save_every_s=40)),
    "paper": Preset(Budget(2_000_000, 64)),
}


@dataclass(frozen=True, eq=False)
class Shapes:
    """Everything that ShapeVAE trains on, in memory: merged maps N x 128 x 128, conditions N x 11, identities N."""

    maps: NDArray[np.uint8]
    conditions: NDArray[np.float32]
    identities: NDArray[np.int64]
    made_up: NDArray[np.bool_]


def shapes_of(prepared: Prepared, split: str) -> tuple[Shapes, NDArray[np.int64]]:
    """The usable rows of a split (a face found by the mesh, a whole inner face) and their indices."""
    assert prepared.parsing is not None and prepared.pose is not None
    rows = prepared.rows(split)
    rows = rows[np.isfinite(prepared.pose[rows]).all(1)]
    maps = np.asarray(prepared.parsing[rows])
    inner = np.isin(maps, INNER).mean((1, 2))
    keep = (inner > 0.12) & (np.abs(prepared.pose[rows, 1]) < 1.3)
    rows, maps = rows[keep], maps[keep]
    glasses = ((maps == GLASSES).mean((1, 2)) > GLASSES_SHARE).astype(np.float32)
    conditions = np.concatenate([prepared.pose[rows], glasses[:, None]], 1)
    return Shapes(maps, conditions, prepared.identities[rows], prepared.column("made_up")[rows] == "1"), rows


def train(data: Path, out: Path, preset: Preset, seed: int = 0, start: Path | None = None) -> None:
    """Trains until the preset's budget is spent; `out` holds checkpoint, log and grids of maps.

    Args:
        start: checkpoint of an earlier run whose networks this one begins with.
    """
    from masquerade.faces.landmarks import mirrored_condition

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    shapes, _ = shapes_of(open_prepared(data), "train")
    planes = _packed(shapes.maps)
    network, critic = on_device(ShapeVAE()), on_device(MapCritic())
    conditions = torch.from_numpy(shapes.conditions).to(DEVICE)
    network.condition_mean.copy_(conditions.mean(0))
    network.condition_mean[[1, 2, 8]] = 0  # yaw, roll and gaze to the side: a face and its mirror image are equally likely
    network.condition_scale.copy_(conditions.std(0).clamp(min=1e-3))
    optimizer = torch.optim.Adam(network.parameters(), lr=preset.rate, betas=(0.5, 0.95))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=4e-4, betas=(0.5, 0.95))
    average = Average(network)
    if start:
        begin_from(start, {"network": network, "critic": critic, "average": average})
    parts = {"network": network, "critic": critic, "optimizer": optimizer, "critic_optimizer": critic_optimizer, "average": average}
    run = Run(out, preset.budget, parts)
    weight = torch.tensor([WEIGHT.get(MERGED[c], 1.0) for c in INNER], device=DEVICE)[:, None, None]
    partner = _partners(shapes.identities, rng)
    turned = np.stack([mirrored_condition(c[:10]) for c in shapes.conditions])
    mirror = torch.from_numpy(np.concatenate([turned, shapes.conditions[:, 10:]], 1).astype(np.float32)).to(DEVICE)

    def chosen(rows: NDArray[np.int64], flip: NDArray[np.bool_]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inner planes, outer planes and normalised condition of some rows, mirrored where `flip`."""
        index, flipped = torch.from_numpy(rows).to(DEVICE), torch.from_numpy(flip).to(DEVICE)
        both = planes[index]
        both = torch.where(flipped[:, None, None, None], both.flip(3), both).float().mul_(0.25).contiguous(memory_format=torch.channels_last)
        condition = torch.where(flipped[:, None], mirror[index], conditions[index])
        return both[:, : len(INNER)], both[:, len(INNER) :], network.normalise(condition)

    def one_step(step: int) -> Losses:
        network.train()
        for o in (optimizer, critic_optimizer):
            set_rate(o, flat_then_linear(run.progress))
        rows = rng.integers(len(shapes.maps), size=preset.budget.batch)
        flip = rng.random(len(rows)) < 0.5
        inner, outer, condition = chosen(rows, flip)
        # Whose latent: the picture itself, its mirror image, or another photo of the same person.
        other = np.where(rng.random(len(rows)) < 0.35, partner(rows), rows)
        seen_inner, seen_outer, seen_condition = chosen(other, flip ^ (rng.random(len(rows)) < 0.5))
        with autocast():
            mean, spread = network.encoder(seen_inner, seen_outer, seen_condition)
        mean, spread = mean.float(), spread.float()
        latent = mean + torch.randn_like(mean) * (0.5 * spread).exp()
        swapped = mean.detach().roll(1, 0)
        swapped = swapped + 0.1 * torch.randn_like(swapped)
        with autocast():
            logits = network.decoder(torch.cat([latent, swapped]), torch.cat([outer, outer]), torch.cat([condition, condition]))
        drawn, stranger = logits.float().chunk(2)
        area = inner.sum(1)
        entropy = -(weight * inner * drawn.log_softmax(1)).sum((1, 2, 3)).mean()
        divergence = 0.5 * (mean**2 + spread.exp() - 1 - spread).sum(1).mean()
        fake = stranger.softmax(1) * area[:, None]

        with autocast():
            real_verdict, real_condition = critic(_hardened(inner, rng), outer)
            fake_verdict, _ = critic(fake.detach(), outer)
        critic_loss = F.relu(1 - real_verdict.float()).mean() + F.relu(1 + fake_verdict.float()).mean()
        critic_loss = critic_loss + 2 * F.smooth_l1_loss(real_condition.float(), condition)
        critic_optimizer.zero_grad(set_to_none=True)
        critic_loss.backward()
        critic_optimizer.step()

        with autocast():
            verdict, shown = critic(fake, outer)
            reread, _ = network.encoder(fake, outer, condition)
        adversarial = -verdict.float().mean()
        agrees = F.smooth_l1_loss(shown.float(), condition)
        again = F.mse_loss(reread.float(), swapped)
        on = min(1.0, step / 500)
        loss = entropy / 10 + preset.kl * divergence / 10
        loss = loss + on * (preset.adversarial * adversarial + preset.condition * agrees + preset.reread * again) / 10
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return {"entropy": entropy, "kl": divergence, "critic": critic_loss, "adversarial": adversarial, "condition": agrees, "reread": again}

    run.train(one_step, look=lambda: _look(average.network, shapes, out / "grid.png"))


def _hardened(inner: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Real maps a little blurred, so that the critic cannot tell them by their hard edges."""
    return F.avg_pool2d(inner, 3, 1, 1) * 0.5 + inner * 0.5 if rng.random() < 0.5 else inner


def _packed(maps: NDArray[np.uint8]) -> torch.Tensor:
    """Inner and outer planes of all maps, N x 15 x 64 x 64 in quarters: made once, since making them costs as much as a step."""
    planes = torch.empty((len(maps), len(INNER) + len(OUTER) + 1, SIDE, SIDE), dtype=torch.uint8, device=DEVICE)
    for start in range(0, len(maps), 256):
        both = torch.cat(shape_planes(one_hot(maps[start : start + 256])), 1)
        planes[start : start + 256] = (both * 4).round().byte()
    return planes


def _partners(identities: NDArray[np.int64], rng: np.random.Generator):  # type: ignore[no-untyped-def]
    """A function from rows to rows: another photo of the same person where one is known, else the same row."""
    order = np.argsort(identities, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    known = identities >= 0
    first = np.searchsorted(identities[order], identities, "left")
    last = np.searchsorted(identities[order], identities, "right")

    def another(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        chosen = order[rng.integers(first[rows], last[rows])]
        return np.where(known[rows], chosen, rows)

    return another


def _look(network: torch.nn.Module, shapes: Shapes, path: Path) -> None:
    """Own maps above, then drawn ones: own latent, three other people's, two from N(0, 1)."""
    assert isinstance(network, ShapeVAE)
    network.eval()
    rows = np.linspace(0, len(shapes.maps) - 1, 14).astype(np.int64)
    planes = one_hot(shapes.maps[rows])
    inner, outer = shape_planes(planes)
    condition = torch.from_numpy(shapes.conditions[rows]).to(DEVICE)
    with torch.no_grad():
        own, _ = network.encoder(inner, outer, network.normalise(condition))
        latents = [own, own.roll(1, 0), own.roll(3, 0), own.roll(5, 0), torch.randn_like(own), torch.randn_like(own)]
        drawn = [redrawn(shapes.maps[rows], network(z, outer, condition).cpu().numpy()) for z in latents]
    write_grid(path, [colours(m) for m in [shapes.maps[rows], *drawn]])


def redrawn(maps: NDArray[np.uint8], logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Merged maps N x 128 x 128 with their inner classes replaced by the strongest of the logits N x 8 x 128 x 128."""
    inner = np.asarray(INNER, np.uint8)
    return np.where(np.isin(maps, INNER), inner[logits.argmax(1)], maps)


def latents_of(network: ShapeVAE, maps: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
    """Means of the latents of maps N x 128 x 128 with their conditions N x 11: N x 64."""
    found = []
    for some, condition in zip(maps.split(64), conditions.split(64), strict=True):
        inner, outer = shape_planes(one_hot(some))
        with torch.no_grad():
            found.append(network.encoder(inner, outer, network.normalise(condition))[0])
    return torch.cat(found)


def drawn_anew(network: ShapeVAE, planes: torch.Tensor, latents: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
    """Planes N x 14 x 128 x 128 with their inner face drawn anew, as at work: the strongest class wherever the face was, and eyes behind glasses."""
    outer = shape_planes(planes)[1]
    bare = torch.cat([conditions[:, :-1], torch.zeros_like(conditions[:, -1:])], 1)
    with torch.no_grad(), autocast():
        logits, without = (network(latents, outer, c).float() for c in (conditions, bare))
    inner = torch.tensor(INNER, device=planes.device)
    maps = planes.argmax(1)
    drawn, eyes = inner[logits.argmax(1)], inner[without.argmax(1)] == EYES
    behind = conditions[:, -1, None, None] > 0
    drawn = torch.where(behind & (drawn == EYES), GLASSES, drawn)
    drawn = torch.where(behind & (drawn == GLASSES) & eyes, EYES, drawn)
    return one_hot(torch.where(torch.isin(maps, inner), drawn, maps))
