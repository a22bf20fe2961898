"""Photos as people take them: out of focus, or black and white. The training photos are sharp and coloured, and from them alone a network learns
to draw crisp, rosy faces into every photo."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from masquerade.training.proxy import blurred

BLURS_PX = (1.0, 2.0, 3.0)
"""Between no blur and the last of these, in pixels of a crop of 128."""


@dataclass(frozen=True, eq=False)
class Degradation:
    """What befalls every picture of a batch.

    Attributes:
        blur: N, how far each picture lies along `BLURS_PX`, 0 (sharp) to 1.
        gray: N bool, which are black and white.
    """

    blur: torch.Tensor
    gray: torch.Tensor

    def __call__(self, pictures: torch.Tensor, rows: slice = slice(None)) -> torch.Tensor:
        """The pictures degraded; each row in its own way, the same at every call.

        Args:
            pictures: N x 3 x S x S in [-1, 1].
            rows: which of the batch these are.
        """
        blur, gray = (t[rows, None, None, None] for t in (self.blur, self.gray))
        soft, steps = pictures, len(BLURS_PX)
        scale = pictures.shape[-1] / 128
        for index, sigma in enumerate(BLURS_PX):
            share = (blur * steps - index).clamp(0, 1)
            soft = torch.lerp(soft, blurred(pictures, sigma * scale), share)
        luma = (soft * soft.new_tensor([0.299, 0.587, 0.114])[None, :, None, None]).sum(1, keepdim=True).expand_as(soft)
        return torch.where(gray, luma, soft).contiguous(memory_format=torch.channels_last)


def degradation_of(count: int, out_of_focus: float, gray: float, device: torch.device | str) -> Degradation:
    """Draws what befalls so many pictures; `out_of_focus` and `gray` are shares of them, 0 to 1."""
    soft = torch.rand(count, device=device) < out_of_focus
    return Degradation(soft * torch.rand(count, device=device), torch.rand(count, device=device) < gray)
