"""Trains AnonymizationNet and the TextureEncoder that reads its codes.

Pictures are reconstructed from their own map and code: that teaches what a code means, and IdentityNet watches that it means the
person (paper, section 3.1). A later run may also draw strangers, as at work: see `masquerade.training.strangers`. In such a run the encoder
stays as it is, so that the bank's codes keep their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from masquerade.networks.anonymization import AnonymizationNet, TextureEncoder
from masquerade.networks.discriminators import Discriminator
from masquerade.regions import MERGED
from masquerade.training.adversarial import AdversarialPreset, teach
from masquerade.training.data import open_prepared
from masquerade.training.faces import Faces, batch_at, batch_of, faces_of
from masquerade.training.loop import (
    DEVICE,
    Average,
    Budget,
    Losses,
    Run,
    autocast,
    begin_from,
    flat_then_linear,
    on_device,
    set_rate,
    to_pixels,
    write_grid,
)
from masquerade.training.losses import FeatureLoss, attention, hinge_generator, masked_l1
from masquerade.training.projected import ProjectedJudge
from masquerade.training.rough import CodeMeans
from masquerade.training.strangers import Strangers, identity_guide

GUIDED = 0.1
"""Share of the guide's weight that is left where strangers are drawn: they say enough of identities, and a guide that is pleased too well makes
all new faces somewhat alike to other recognisers."""


@dataclass(frozen=True)
class Preset(AdversarialPreset):
    """`noise`: on codes. `identity`: what the guide counts. `contrast`, `expression`, `away`, `finer`: what `masquerade.training.strangers`
    gives. `heads`: on so many of them, or on half of the batch, strangers are drawn."""

    rate: float = 2.5e-4
    adversarial: float = 0.25
    noise: float = 0.15
    identity: float = 1.0
    contrast: float = 0.2
    expression: float = 0.2
    away: float = 10.0
    finer: float = 10.0
    heads: int = 4


PRESETS = {
    "cpu": Preset(Budget(150_000, 16)),
    "gpu": Preset(Budget(1_000_000, 96, save_every_s=40), rate=4e-4, critic_rate=4e-4, r1_every=16, projected=0.4, finer=2.0, heads=16),
    "paper": Preset(Budget(12_000_000, 16), rate=1e-5, critic_rate=1e-5),
}


def train(
    data: Path,
    out: Path,
    preset: Preset,
    seed: int = 0,
    side: int = 128,
    start: Path | None = None,
    guide: Path | None = None,
    beside: Path | None = None,
) -> None:
    """Trains until the budget is spent.

    Args:
        side: 64 trains four times as fast on half the resolution; start a run at 128 from it.
        start: checkpoint of an earlier run whose networks this one begins with.
        guide: checkpoint of an IdentityNet run: what is drawn with a person's own code must look like the person to it.
        beside: folder of the other networks' checkpoints; with it, `start` and `guide`, strangers are drawn too.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    prepared = open_prepared(data)
    faces, watched = faces_of(prepared, "train"), faces_of(prepared, "val")
    generator, encoder = on_device(AnonymizationNet()), on_device(TextureEncoder())
    critic, means = on_device(Discriminator(len(MERGED), (32, 64, 128, 160))), on_device(CodeMeans(9, 32))
    strangers = None
    identity = identity_guide(guide) if guide else None
    if start and identity and beside:
        strangers = Strangers(start, beside, faces, identity, min(preset.heads, preset.budget.batch // 4 * 2))
        encoder.requires_grad_(False)
    learned = [*generator.parameters(), *encoder.parameters()]
    optimizer = torch.optim.Adam(learned, lr=preset.rate, betas=(0.5, 0.95))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=preset.critic_rate, betas=(0.5, 0.95))
    average, encoder_average = Average(generator), Average(encoder)
    networks: dict[str, nn.Module | Average] = {
        "generator": generator,
        "encoder": encoder,
        "critic": critic,
        "means": means,
        "average": average,
        "encoder_average": encoder_average,
    }
    if start:
        begin_from(start, networks)
    feature_loss = on_device(FeatureLoss())
    parts = {**networks, "optimizer": optimizer, "critic_optimizer": critic_optimizer}
    judge = ProjectedJudge(preset.critic_rate) if preset.projected else None
    run = Run(out, preset.budget, parts | judge.parts() if judge else parts)
    own = preset.budget.batch
    guided = preset.identity * (GUIDED if strangers else 1.0)

    def one_step(step: int) -> Losses:
        for o in (optimizer, critic_optimizer):
            set_rate(o, flat_then_linear(run.progress))
        batch = batch_of(faces, preset.budget.batch, rng, side)
        with autocast():
            codes = encoder(batch.pictures, batch.planes)
            means.update(codes)
            planes, noisy, gaze = batch.planes, codes + preset.noise * torch.randn_like(codes), batch.gaze
            if strangers:
                # As at work, where LandmarkNet says where somebody looks.
                gaze = strangers.expressions.asked(batch.pictures)[:, 8:10]
                drawings = strangers.drawings(batch, means.fill(codes))
                planes, gaze = torch.cat([planes, drawings.heads.planes]), torch.cat([gaze, drawings.heads.gaze])
                noisy = torch.cat([noisy, drawings.codes])
            drawn = generator(planes, noisy, gaze)
        drawn = drawn.float()
        fake, half = drawn[:own], F.avg_pool2d(batch.planes, 2)
        seen = fake * batch.masks

        on = 1.0 if start else min(1.0, max(0.0, (step - 300) / 600))
        real = batch.pictures * batch.masks
        loss_critic = teach(critic, critic_optimizer, real, seen.detach(), half, preset, step) if on > 0 else 0.0

        mixed = torch.lerp(batch.pictures, fake, batch.masks)
        l1 = masked_l1(fake, batch.pictures, batch.masks * attention(batch.planes))
        critic.requires_grad_(False)
        with autocast():
            with torch.no_grad():
                truth = feature_loss.features(batch.pictures)
                person = identity(batch.pictures) if identity else None
            feature = feature_loss(mixed, truth)
            same = (1 - F.cosine_similarity(identity(mixed).float(), person.float())).mean() if identity and person is not None else 0.0
            adversarial = hinge_generator(critic(seen, half)) if on > 0 else torch.zeros((), device=DEVICE)
        critic.requires_grad_(True)
        further = strangers.judged(drawn[own:], drawings) if strangers else {}
        if judge:
            faces_drawn = torch.cat([seen, drawn[own:] * drawings.heads.masks]) if strangers else seen
            # As many true faces: those of the batch, the first ones twice.
            true = torch.cat([real, real[: len(faces_drawn) - own]])
            pleased, loss_heads = judge(true, faces_drawn, step, flat_then_linear(run.progress))
            further = {**further, "projected": pleased}
        loss = preset.l1 * l1 + preset.feature * feature + on * preset.adversarial * adversarial + guided * same
        for name, value in further.items():
            loss = loss + getattr(preset, name) * value
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 5.0)
        optimizer.step()
        average.update(generator, step)
        encoder_average.update(encoder, step)
        losses = {"l1": l1, "feature": feature, "identity": same, "adversarial": adversarial, "critic": loss_critic, **further}
        return {**losses, "judge": loss_heads} if judge else losses

    run.train(one_step, look=lambda: _look(average.network, encoder_average.network, means, watched, out / "grid.png"))


def _look(generator: nn.Module, encoder: nn.Module, means: CodeMeans, faces: Faces, path: Path) -> None:
    """Originals, own map and code, own map with two other people's codes."""
    generator.eval()
    rows = np.linspace(0, len(faces.crops) - 1, 16).astype(np.int64)
    still = np.zeros(len(rows), bool)
    batch = batch_at(faces, rows, still, still)
    with torch.no_grad():
        codes = encoder(batch.pictures, batch.planes)
        drawn = [codes, means.fill(codes.roll(3, 0)), means.fill(codes.roll(7, 0))]
        made = [torch.lerp(batch.pictures, generator(batch.planes, code, batch.gaze), batch.masks) for code in drawn]
    write_grid(path, [to_pixels(p) for p in (batch.pictures, *made)])
