"""Trains TemporalHarmonizationNet on pairs of frames (paper, supplement): the photo network's proxy task, with the frame before at hand.

Half of the pairs are neighbours in clips, the others are photos that were moved a little and lit a little otherwise. What is given as
previous face is the true one, a spoilt one, another person's, none, or, in half of the cases, what the network made of the frame before:
nothing is copied blindly. There the two outputs must change as the true frames do; elsewhere a critic looks at a frame and the one before
it together. Where ShapeVAE is at hand, a share of each batch are strangers, as in `masquerade.training.harmonization`, the same one in both frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from masquerade.networks.discriminators import Discriminator
from masquerade.networks.harmonization import TemporalHarmonizationNet
from masquerade.training.adversarial import teach
from masquerade.training.data import open_prepared
from masquerade.training.faces import Batch, batch_at, batch_of, faces_of
from masquerade.training.harmonization import Preset as PhotoPreset
from masquerade.training.loop import DEVICE, Average, Budget, Losses, Run, autocast, flat_then_linear, on_device, set_rate, to_pixels, write_grid
from masquerade.training.losses import FeatureLoss, attention, detail_difference, judged, light_difference, masked_l1
from masquerade.training.pairs import Clips, Pairs, clips_of, from_clips, from_photos, mixed, moved
from masquerade.training.projected import ProjectedJudge
from masquerade.training.proxy import spoilt
from masquerade.training.rough import Rough, given_to_mend, toned
from masquerade.training.shape import drawn_anew

UNSURE = 25.0
"""Where neighbouring true frames differ by d although the motion was undone, exp(-UNSURE d^2) of the steadiness counts (Lai et al. 2018)."""


@dataclass(frozen=True)
class Preset(PhotoPreset):
    """`empty`, `wrong` and `spoilt`: shares of the previous faces that are missing, another person's, or spoilt. `aligned`: share of them that
    were moved to where the face is now. Made motion: a spread in pixels, lights in natural logarithms."""

    steady: float = 5.0
    empty: float = 0.15
    wrong: float = 0.15
    spoilt: float = 0.3
    aligned: float = 0.5
    motion_px: float = 1.5
    light_change: float = 0.05


PRESETS = {
    "cpu": Preset(Budget(60_000, 12)),
    "gpu": Preset(Budget(600_000, 64, save_every_s=40), r1_every=16, projected=0.3),
    "paper": Preset(Budget(12_000_000, 12), rate=1e-5, critic_rate=1e-5),
}


def train(
    data: Path, out: Path, preset: Preset, clips: Path, start: Path | None = None, rough: Path | None = None, shape: Path | None = None, seed: int = 0
) -> None:
    """Trains until the budget is spent.

    Args:
        clips: folder that `masquerade train prepare-clips` wrote.
        start: checkpoint of a HarmonizationNet run, or of an earlier one of this kind.
        rough: checkpoint of an AnonymizationNet run; None trains on spoilt faces alone.
        shape: checkpoint of a ShapeVAE run; None trains without strangers.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    faces, neighbours = faces_of(open_prepared(data), "train"), clips_of(clips)
    maker = Rough(rough, shape, faces) if rough else None
    total = preset.budget.batch
    own = total - (round(preset.strangers * total) if maker and maker.shape else 0)
    again = torch.tensor([i for i in range(total) if i >= own or i % 2], device=DEVICE)
    network, critic = on_device(TemporalHarmonizationNet()), on_device(Discriminator(1 + 12, (32, 64, 128, 160)))
    optimizer = torch.optim.Adam(network.parameters(), lr=preset.rate, betas=(0.5, 0.95))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=preset.critic_rate, betas=(0.5, 0.95))
    if start:
        _begin_from(start, network, critic)
    average = Average(network)
    parts = {"network": network, "critic": critic, "average": average, "optimizer": optimizer, "critic_optimizer": critic_optimizer}
    judge = ProjectedJudge(preset.critic_rate) if preset.projected else None
    run = Run(out, preset.budget, parts | judge.parts() if judge else parts)
    feature_loss = on_device(FeatureLoss())

    def one_step(step: int) -> Losses:
        for o in (optimizer, critic_optimizer):
            set_rate(o, flat_then_linear(run.progress))
        half = total // 2
        pairs = mixed(from_clips(neighbours, half, rng), from_photos(batch_of(faces, total - half, rng), preset.motion_px, preset.light_change), rng)
        now, before = pairs.now, pairs.before
        given, planes, given_before, planes_before = _rough_pairs(pairs, maker, preset.through_generator, total - own)
        entry = torch.lerp(now.pictures, given, now.masks)

        made_before = _first(network, before, given_before, planes_before, again)
        previous, previous_masks, shown = _previous(pairs, made_before, again, preset)
        with autocast():
            mended = network(entry, now.masks, planes, previous, previous_masks)
        fake = torch.lerp(now.pictures, mended.float(), now.masks)

        # The critic sees the true frame before beside both: its six further channels, unshuffled, come with the mask.
        beside = torch.cat([F.avg_pool2d(now.masks[:own], 2), F.pixel_unshuffle(before.pictures[:own], 2)], 1)
        on = 1.0 if start else min(1.0, max(0.0, (step - 300) / 600))
        loss_critic = teach(critic, critic_optimizer, now.pictures[:own], fake[:own].detach(), beside, preset, step) if on > 0 else 0.0
        l1 = masked_l1(fake[:own], now.pictures[:own], now.masks[:own] * attention(now.planes[:own]))
        feature, adversarial = judged(feature_loss, critic, fake[:own], now.pictures[:own], beside, on > 0)
        light = light_difference(fake[own:], now.masks[own:], now.pictures[own:]) if own < total else 0.0
        detail = detail_difference(fake[own:], given[own:], now.masks[own:]) if own < total else 0.0
        steady = _unsteadiness(fake, made_before, pairs, again, shown)
        loss = preset.l1 * l1 + preset.feature * feature + on * preset.adversarial * adversarial
        loss = loss + preset.light * light + preset.detail * detail + preset.steady * steady
        losses = {"l1": l1, "feature": feature, "adversarial": adversarial, "light": light, "detail": detail, "steady": steady, "critic": loss_critic}
        if judge:
            losses["projected"], losses["judge"] = judge(now.pictures[:own], fake[:own], step, flat_then_linear(run.progress))
            loss = loss + preset.projected * losses["projected"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return losses

    run.train(one_step, look=lambda: _look(average.network, maker, neighbours, out / "grid.png"))


def _begin_from(start: Path, network: nn.Module, critic: nn.Module) -> None:
    """Loads a run's networks; what a photo run lacks stays as it is, and its critic begins blind to the frame before."""
    parts: dict[str, Any] = torch.load(start, weights_only=True, map_location=DEVICE)["parts"]
    network.load_state_dict(parts["network"] if "network" in parts else parts["average"], strict=False)
    if "critic" in parts:
        state, name = dict(parts["critic"]), "entry.0.weight"
        entry = torch.zeros_like(critic.state_dict()[name])
        entry[:, : state[name].shape[1]] = state[name]
        critic.load_state_dict({**state, name: entry})


def _rough_pairs(pairs: Pairs, maker: Rough | None, share: float, strangers: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """What is to be mended now, and before, each with the planes that it was drawn from. Own faces are spoilt in two different ways; strangers
    are one person in both frames, and come last."""
    given, planes = given_to_mend(pairs.now, maker, share, 0)
    given_before, planes_before = given_to_mend(pairs.before, maker, share, 0)
    if not maker or not strangers or maker.shape is None:
        return given, planes, given_before, planes_before
    now, before = _last(pairs.now, strangers), _last(pairs.before, strangers)
    latents = maker.latents[torch.randint(len(maker.latents), (strangers,), device=DEVICE)]
    with torch.no_grad(), autocast():
        code = maker.means.fill(maker.encoder(now.pictures, now.planes).roll(1, 0))
    found: list[torch.Tensor] = []
    for batch, whole, drawn_from in ((now, given, planes), (before, given_before, planes_before)):
        drawn = drawn_anew(maker.shape, batch.planes, latents, now.conditions if batch is now else before.conditions)
        with torch.no_grad(), autocast():
            made = toned(maker.generator(drawn, code, batch.gaze).float(), drawn, batch)
        found += [torch.cat([whole[:-strangers], made]), torch.cat([drawn_from[:-strangers], drawn])]
    return found[0], found[1], found[2], found[3]


def _last(batch: Batch, count: int) -> Batch:
    return Batch(*(t[-count:] for t in (batch.pictures, batch.planes, batch.masks, batch.gaze, batch.conditions)))


@torch.no_grad()
def _first(network: nn.Module, batch: Batch, given: torch.Tensor, planes: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """What the network makes of some rows when they are first frames."""
    pictures, masks, training = batch.pictures[rows], batch.masks[rows], network.training
    network.eval()
    with autocast():
        made = network(torch.lerp(pictures, given[rows], masks), masks, planes[rows], torch.zeros_like(pictures), torch.zeros_like(masks))
    network.train(training)
    return torch.lerp(pictures, made.float(), masks)


@torch.no_grad()
def _previous(pairs: Pairs, made: torch.Tensor, again: torch.Tensor, preset: Preset) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The previous faces that are given, their masks, and whether they are of the person, N x 1 x 1 x 1."""
    true, masks = pairs.before.pictures, pairs.before.masks
    count = len(true)
    kind = torch.rand(count, 1, 1, 1, device=DEVICE)
    gentle = torch.ones(count, dtype=torch.bool, device=DEVICE)
    edge = preset.empty + preset.wrong
    previous = torch.where((kind >= edge) & (kind < edge + preset.spoilt), torch.lerp(true, spoilt(true, gentle), 0.5), true)
    previous = previous.index_copy(0, again, made)
    aligned = torch.rand(count, 1, 1, 1, device=DEVICE) < preset.aligned
    previous = torch.where(aligned, moved(previous, pairs.flow), previous)
    masks = torch.where(aligned, moved(masks, pairs.flow), masks)
    wrong, empty = kind < preset.wrong, (kind >= preset.wrong) & (kind < edge)
    previous, masks = (torch.where(wrong, t.roll(1, 0), t) for t in (previous, masks))
    masks = torch.where(empty, torch.zeros_like(masks), masks)
    # As at work, nothing but the face is given.
    return previous * (masks > 0), masks, (kind >= edge).float()


def _unsteadiness(fake: torch.Tensor, made_before: torch.Tensor, pairs: Pairs, again: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    """Mean difference between the outputs' change and the true frames' change, along the motion, where that is known well."""
    flow, now, before = pairs.flow[again], pairs.now, pairs.before
    change = fake[again] - moved(made_before, flow)
    true = now.pictures[again] - moved(before.pictures[again], flow)
    sure = torch.exp(-UNSURE * true.square().mean(1, keepdim=True))
    weight = now.masks[again] * moved(before.masks[again], flow) * sure * shown[again]
    return ((change - true).abs() * weight).sum() / (3 * weight.sum().clamp(min=1))


def _look(network: nn.Module, maker: Rough | None, clips: Clips, path: Path) -> None:
    """True frames of clips; spoilt, mended as first frames, mended after the frame before them; and what a change there is, sixfold."""
    network.eval()
    rows = clips.later[np.linspace(0, len(clips.later) - 1, 12).astype(np.int64)]
    still = np.zeros(len(rows), bool)
    now, before = (batch_at(clips.faces, r, still, still) for r in (rows, rows - 1))
    flow = clips.flow[torch.from_numpy(rows).to(DEVICE)].float().permute(0, 3, 1, 2)
    pairs, whole = Pairs(now, before, flow), torch.arange(len(rows), device=DEVICE)
    strangers = len(rows) // 2 if maker and maker.shape else 0
    given, planes, given_before, planes_before = _rough_pairs(pairs, maker, 0.5, strangers)
    earlier = _first(network, before, given_before, planes_before, whole)
    alone = _first(network, now, given, planes, whole)
    entry = torch.lerp(now.pictures, given, now.masks)
    place, there = moved(earlier, flow), moved(before.masks, flow)
    with torch.no_grad():
        mended = network(entry, now.masks, planes, place * (there > 0), there)
    after = torch.lerp(now.pictures, mended, now.masks)
    write_grid(path, [to_pixels(p) for p in (now.pictures, entry, earlier, alone, after, 6 * (alone - place), 6 * (after - place))])
