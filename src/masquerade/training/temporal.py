"""Trains TemporalHarmonizationNet frame by frame (paper, supplement): the photo network's proxy task, with the frame before at hand.

Streams of frames, half of them clips, half photos that drift, are followed for many frames, and what is given as the previous face is what the
network itself made of it, moved along a motion that is not quite right, and mixed with the one before, as at work
(`masquerade.training.journeys`). Trained on pairs, of which the first frame was always drawn afresh, it kept what it was given, and at work faces
were smeared a little more from frame to frame.
The outputs must change as the true frames do; a critic looks at a frame and the one before it together. Where ShapeVAE is at hand, a share
of each batch are strangers, the same one in every frame of a stream; they must keep their own details, and be as sharp as when they are drawn afresh.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
from masquerade.training.faces import Faces, faces_of
from masquerade.training.harmonization import Preset as PhotoPreset
from masquerade.training.journeys import Given, Journeys, Trips
from masquerade.training.loop import DEVICE, Average, Budget, Losses, Run, autocast, flat_then_linear, on_device, set_rate, to_pixels, write_grid
from masquerade.training.losses import COARSER, FeatureLoss, attention, detail_difference, judged, light_difference, masked_l1
from masquerade.training.projected import ProjectedJudge
from masquerade.training.rough import Rough
from masquerade.training.streams import Clips, clips_of

UNSURE = 25.0
"""Where neighbouring true frames differ by d although the motion was undone, exp(-UNSURE d^2) of the steadiness counts (Lai et al. 2018)."""

LOOKED_AT = 24
"""Frames of a stream after which it is looked at."""


@dataclass(frozen=True)
class Preset(PhotoPreset):
    """`steady`: what changes that the true frames do not show count; `afresh`: what strangers' lack of sharpness beside a first frame counts."""

    steady: float = 5.0
    afresh: float = 4.0
    strangers: float = 0.5
    trips: Trips = field(default_factory=Trips)


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
    journeys = Journeys(faces, neighbours, maker, own, total - own, preset.trips, rng)
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
        given = journeys.step()
        now, entry = given.now, given.entry
        with autocast():
            mended = network(entry, now.masks, given.planes, given.previous, given.previous_mask)
        fake = torch.lerp(now.pictures, mended.float(), now.masks)
        journeys.remember(fake)

        # The critic sees the true frame before beside both: its six further channels, unshuffled, come with the mask.
        beside = torch.cat([F.avg_pool2d(now.masks[:own], 2), F.pixel_unshuffle(given.before[:own], 2)], 1)
        on = 1.0 if start else min(1.0, max(0.0, (step - 300) / 600))
        loss_critic = teach(critic, critic_optimizer, now.pictures[:own], fake[:own].detach(), beside, preset, step) if on > 0 else 0.0
        l1 = masked_l1(fake[:own], now.pictures[:own], now.masks[:own] * attention(now.planes[:own]))
        feature, adversarial = judged(feature_loss, critic, fake[:own], now.pictures[:own], beside, on > 0)
        steady = _unsteadiness(fake, given)
        loss = preset.l1 * l1 + preset.feature * feature + on * preset.adversarial * adversarial + preset.steady * steady
        losses = {"l1": l1, "feature": feature, "adversarial": adversarial, "steady": steady, "critic": loss_critic}
        if own < total:
            theirs = slice(own, None)
            first = _first(average.network, given, theirs)
            losses["light"] = light_difference(fake[theirs], now.masks[theirs], now.pictures[theirs])
            losses["detail"] = detail_difference(fake[theirs], given.rough[theirs], now.masks[theirs])
            losses["afresh"] = detail_difference(fake[theirs], first, now.masks[theirs], COARSER)
            loss = loss + preset.light * losses["light"] + preset.detail * losses["detail"] + preset.afresh * losses["afresh"]
        if judge:
            losses["projected"], losses["judge"] = judge(now.pictures[:own], fake[:own], step, flat_then_linear(run.progress))
            loss = loss + preset.projected * losses["projected"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step)
        return losses

    run.train(one_step, look=lambda: _look(average.network, maker, faces, neighbours, preset.trips, out / "grid.png"))


def _begin_from(start: Path, network: nn.Module, critic: nn.Module) -> None:
    """Loads a run's networks; what a photo run lacks stays as it is, and its critic begins blind to the frame before."""
    parts: dict[str, Any] = torch.load(start, weights_only=True, map_location=DEVICE)["parts"]
    network.load_state_dict(parts["network"] if "network" in parts else parts["average"], strict=False)
    if "critic" in parts:
        state, name = dict(parts["critic"]), "entry.0.weight"
        entry = torch.zeros_like(critic.state_dict()[name])
        entry[:, : state[name].shape[1]] = state[name]
        critic.load_state_dict({**state, name: entry})


@torch.no_grad()
def _first(network: nn.Module, given: Given, rows: slice) -> torch.Tensor:
    """What an averaged network makes of some rows when they are first frames."""
    pictures, masks = given.now.pictures[rows], given.now.masks[rows]
    with autocast():
        made = network(given.entry[rows], masks, given.planes[rows], torch.zeros_like(pictures), torch.zeros_like(masks))
    return torch.lerp(pictures, made.float(), masks)


def _unsteadiness(fake: torch.Tensor, given: Given) -> torch.Tensor:
    """Mean difference between the outputs' change and the true frames' change, along the motion, where that is known well."""
    true = given.now.pictures - given.before
    weight = given.comparable * torch.exp(-UNSURE * true.square().mean(1, keepdim=True))
    return ((fake - given.made_before - true).abs() * weight).sum() / (3 * weight.sum().clamp(min=1))


@torch.no_grad()
def _look(network: nn.Module, maker: Rough | None, faces: Faces, clips: Clips, trips: Trips, path: Path) -> None:
    """Streams that are under way: true frames; what comes in; as first frames; as they are; and what a change there is, sixfold."""
    strangers = 6 if maker and maker.shape else 0
    journeys = Journeys(faces, clips, maker, 6, strangers, trips, np.random.default_rng(0))
    rows: list[torch.Tensor] = []
    for _ in range(LOOKED_AT):
        given = journeys.step()
        with autocast():
            mended = network(given.entry, given.now.masks, given.planes, given.previous, given.previous_mask)
        made = torch.lerp(given.now.pictures, mended.float(), given.now.masks)
        rows = [given.now.pictures, given.entry, _first(network, given, slice(None)), made, 6 * (made - given.made_before) * given.comparable]
        journeys.remember(made)
    write_grid(path, [to_pixels(p) for p in rows])
