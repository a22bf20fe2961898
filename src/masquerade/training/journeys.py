"""What TemporalHarmonizationNet meets on its way through many frames: rough faces, and what it made of the frame before, as at work."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional as F

from masquerade.steadying import UNLIKE
from masquerade.training.faces import Batch, Faces
from masquerade.training.loop import DEVICE, autocast
from masquerade.training.proxy import blurred, spoilt
from masquerade.training.rough import Rough, toned
from masquerade.training.shape import drawn_anew
from masquerade.training.streams import Clips, ClipStreams, Drift, Frames, PhotoStreams, beside, moved

TRUSTED = UNLIKE / 127.5
"""Difference of true frames, once the motion is undone, up to which the frame before is trusted, from twice as much on not, as at
work, for pictures in [-1, 1]."""


@dataclass(frozen=True)
class Trips:
    """How streams go. `longest`: frames of one. `astray`: share of the frames whose motion is not known at all. `wobble_px`: spread of the motion's
    errors. `mixed`: so much of the frame before, moved along, is at most mixed into what is made before it is remembered, as at work."""

    longest: int = 24
    astray: float = 0.04
    wobble_px: float = 0.3
    mixed: float = 0.88
    drift: Drift = field(default_factory=Drift)


@dataclass(frozen=True, eq=False)
class Given:
    """What the network is given in a frame, and what its answer is measured by.

    Attributes:
        now: the true frame.
        rough: what is to be mended, N x 3 x S x S in [-1, 1], and the planes that it was drawn from.
        previous, previous_mask: the face of the frame before, moved to where the motion says; its mask is zero where a stream begins.
        before: the true frame before, moved along; where a stream begins the frame itself.
        made_before: what the network made of it, moved along.
        comparable: N x 1 x S x S, where both lie inside their masks; zero where a stream begins.
    """

    now: Batch
    rough: torch.Tensor
    planes: torch.Tensor
    previous: torch.Tensor
    previous_mask: torch.Tensor
    before: torch.Tensor
    made_before: torch.Tensor
    comparable: torch.Tensor

    @property
    def entry(self) -> torch.Tensor:
        """The rough face within its surroundings."""
        return torch.lerp(self.now.pictures, self.rough, self.now.masks)


class Journeys:
    """Streams of people's own faces and, behind them in the batch, of strangers, the same one in every frame; half of each are clips.

    Args:
        maker: draws rough faces; None spoils the true ones.
        own, strangers: streams of each.
    """

    def __init__(self, faces: Faces, clips: Clips, maker: Rough | None, own: int, strangers: int, trips: Trips, rng: np.random.Generator) -> None:
        self._maker, self._own, self._trips = maker, own, trips
        self._streams: list[ClipStreams | PhotoStreams] = []
        for count in (own, strangers):
            if filmed := count // 2:
                self._streams.append(ClipStreams(clips, filmed, trips.longest, rng))
            if drifting := count - count // 2:
                self._streams.append(PhotoStreams(faces, drifting, trips.longest, rng, trips.drift))
        self._latents, self._codes = torch.zeros(()), torch.zeros(())
        self._kept = torch.zeros(own + strangers, 1, 1, 1, device=DEVICE)
        self._given: Given | None = None
        self._made, self._shown = torch.zeros(()), torch.zeros(())

    @torch.no_grad()
    def step(self) -> Given:
        """The next frame of every stream."""
        frames = beside([s.step() for s in self._streams])
        now, last, begins = frames.now, self._given, frames.begins[:, None, None, None]
        rough, planes = self._rough(frames)
        self._kept = torch.where(begins, torch.rand_like(self._kept) * self._trips.mixed, self._kept)
        if last is None:
            nothing = torch.zeros_like(now.masks)
            given = Given(now, rough, planes, torch.zeros_like(now.pictures), nothing, now.pictures, now.pictures, nothing)
        else:
            flow = torch.where(torch.rand(len(begins), 1, 1, 1, device=DEVICE) < self._trips.astray, 0.0, frames.flow + self._wobble(frames.flow))
            mask, masks = moved(last.now.masks, flow) * ~begins, moved(last.now.masks, frames.flow) * ~begins
            # As at work, nothing but the face is given.
            previous = moved(self._shown, flow, "bicubic").clamp(-1, 1) * (mask > 0)
            before = torch.where(begins, now.pictures, moved(last.now.pictures, frames.flow))
            made_before = moved(self._made, frames.flow, "bicubic").clamp(-1, 1)
            given = Given(now, rough, planes, previous, mask, before, made_before, now.masks * masks)
        self._given = given
        return given

    @torch.no_grad()
    def remember(self, made: torch.Tensor) -> None:
        """What the network made of this frame, N x 3 x S x S within its surroundings."""
        given = self._given
        assert given is not None
        unlike = blurred((given.now.pictures - given.before).mean(1, keepdim=True).abs().expand(-1, 3, -1, -1), 2.0)[:, :1]
        trust = (2 - unlike / TRUSTED).clamp(0, 1) * given.previous_mask
        self._made = made.detach()
        self._shown = torch.lerp(self._made, given.previous, self._kept * trust)

    def _rough(self, frames: Frames) -> tuple[torch.Tensor, torch.Tensor]:
        now, own, maker = frames.now, self._own, self._maker
        mine = _part(now, slice(own))
        made = maker.own(mine) if maker else mine.pictures
        gentle = torch.full((own,), maker is not None, device=DEVICE)
        rough = torch.lerp(made, spoilt(made, gentle), torch.rand(own, 1, 1, 1, device=DEVICE))
        if own == len(now.pictures):
            return rough, now.planes
        assert maker is not None and maker.shape is not None
        theirs, begins = _part(now, slice(own, None)), frames.begins[own:]
        latents = maker.latents[torch.randint(len(maker.latents), (len(begins),), device=DEVICE)]
        with autocast():
            codes = maker.means.fill(maker.encoder(theirs.pictures, theirs.planes).roll(1, 0))
        if self._given is not None:
            latents = torch.where(begins[:, None], latents, self._latents)
            codes = torch.where(begins[:, None, None], codes, self._codes)
        self._latents, self._codes = latents, codes
        drawn = drawn_anew(maker.shape, theirs.planes, latents, theirs.conditions)
        with autocast():
            strangers = toned(maker.generator(drawn, codes, theirs.gaze).float(), drawn, theirs)
        return torch.cat([rough, strangers]), torch.cat([now.planes[:own], drawn])

    def _wobble(self, flow: torch.Tensor) -> torch.Tensor:
        errors = torch.randn(len(flow), 2, 6, 6, device=DEVICE) * self._trips.wobble_px
        return F.interpolate(errors, size=flow.shape[2:], mode="bicubic", align_corners=False)


def _part(batch: Batch, rows: slice) -> Batch:
    return Batch(batch.pictures[rows], batch.planes[rows], batch.masks[rows], batch.gaze[rows], batch.conditions[rows])
