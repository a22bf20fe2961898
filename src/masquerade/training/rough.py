"""Rough faces for the networks that mend them, drawn by frozen networks as at work."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from masquerade.masks import REPLACED
from masquerade.networks.anonymization import AnonymizationNet, TextureEncoder
from masquerade.networks.shape import ShapeVAE
from masquerade.regions import EYES, MOUTH, NOSE, SKIN
from masquerade.training.faces import Batch, Faces
from masquerade.training.loop import DEVICE, autocast, on_device
from masquerade.training.proxy import spoilt
from masquerade.training.shape import drawn_anew, latents_of

LATENTS = 2000
"""How many made-up people's shapes strangers' maps are drawn from."""


class CodeMeans(nn.Module):
    """Running mean of every region's code: stands in where a code's person lacks a region (glasses, hidden ears, a closed mouth)."""

    def __init__(self, regions: int, numbers: int) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.register_buffer("mean", torch.zeros(regions, numbers))

    def update(self, code: torch.Tensor) -> None:
        code = code.detach().float()
        present = (code.abs().sum(2, keepdim=True) > 0).float()
        fresh = (code * present).sum(0) / present.sum(0).clamp(min=1)
        self.mean.lerp_(fresh, 0.02 * (present.sum(0) > 0).float())

    def fill(self, code: torch.Tensor) -> torch.Tensor:
        return torch.where(code.abs().sum(2, keepdim=True) > 0, code.float(), self.mean)


class Rough:
    """AnonymizationNet and its encoder, and perhaps ShapeVAE, frozen, from runs' checkpoints: makes rough faces of photos."""

    def __init__(self, checkpoint: Path, shape: Path | None = None, faces: Faces | None = None) -> None:
        state = torch.load(checkpoint, weights_only=True, map_location=DEVICE)["parts"]
        self.generator, self.encoder, self.means = on_device(AnonymizationNet()), on_device(TextureEncoder()), on_device(CodeMeans(9, 32))
        self.generator.load_state_dict(state["average"])
        self.encoder.load_state_dict(state["encoder_average"])
        self.means.load_state_dict(state["means"])
        self.shape: ShapeVAE | None = None
        if shape and faces:
            self.shape = on_device(ShapeVAE())
            self.shape.load_state_dict(torch.load(shape, weights_only=True, map_location=DEVICE)["parts"]["average"])
            self.shape.eval()
            some = faces.made_up.nonzero()[:LATENTS, 0]
            self.latents = latents_of(self.shape, faces.maps[some], faces.conditions[some])
        for network in (self.generator, self.encoder):
            network.eval()

    @torch.no_grad()
    def own(self, batch: Batch, noise: float = 0.15) -> torch.Tensor:
        """The pictures of a batch, through the generator with their own map and code."""
        with autocast():
            code = self.encoder(batch.pictures, batch.planes)
            made: torch.Tensor = self.generator(batch.planes, code + noise * torch.randn_like(code), batch.gaze)
        return made.float()

    @torch.no_grad()
    def stranger(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """New faces: a drawn map (where ShapeVAE is at hand) and the code of the batch's neighbour; and the planes of that map."""
        planes = batch.planes
        if self.shape is not None:
            chosen = torch.randint(len(self.latents), (len(planes),), device=planes.device)
            planes = drawn_anew(self.shape, planes, self.latents[chosen], batch.conditions)
        with autocast():
            code = self.means.fill(self.encoder(batch.pictures, batch.planes).roll(1, 0))
            made: torch.Tensor = self.generator(planes, code, batch.gaze)
        return toned(made.float(), planes, batch), planes


def toned(made: torch.Tensor, planes: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Rough faces with skin as dark or light as that of the people in a batch, as at work (see `masquerade.generation.colours`).

    Args:
        made: N x 3 x S x S in [-1, 1].
        planes: N x 14 x S x S, of the maps that they were drawn from.
    """

    def skin_of(pictures: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        skin = planes[:, [SKIN, NOSE]].sum(1, keepdim=True)
        return ((pictures + 1) * skin).sum((2, 3), keepdim=True) / skin.sum((2, 3), keepdim=True).clamp(min=1) + 0.05

    gain = (skin_of(batch.pictures, batch.planes) / skin_of(made, planes)).clamp(0.2, 4)
    coloured = planes[:, [c for c in REPLACED if c not in (EYES, MOUTH)]].sum(1, keepdim=True)
    return ((made + 1) * (1 + coloured * (gain - 1)) - 1).clamp(-1, 1).contiguous(memory_format=torch.channels_last)


def given_to_mend(batch: Batch, maker: Rough | None, share: float, strangers: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network is to mend, and the planes of the maps that it was drawn from: spoilt photos, own faces from the generator, spoilt
    gently, and at the end of the batch strangers as they are."""
    given, planes = batch.pictures, batch.planes
    through = torch.zeros(len(given), dtype=torch.bool, device=given.device)
    if maker:
        through[: round(share * (len(given) - strangers))] = True
        given = torch.where(through[:, None, None, None], maker.own(batch), given)
    given = spoilt(given, through)
    if maker and strangers:
        last = slice(len(given) - strangers, None)
        part = Batch(*(t[last] for t in (batch.pictures, batch.planes, batch.masks, batch.gaze, batch.conditions)))
        made, drawn = maker.stranger(part)
        given, planes = torch.cat([given[:-strangers], made]), torch.cat([planes[:-strangers], drawn])
    return given, planes
