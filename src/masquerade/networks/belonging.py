"""BelongingNet: tells how much a new face looks as if it were its head's own. Ours, not the paper's."""

from __future__ import annotations

from masquerade.networks.surroundings import SurroundingsNet


class BelongingNet(SurroundingsNet):
    """SurroundingsNet's layers, looking at a face within what surrounds it.

    Forward: canonical crop N x 3 x 96 x 96 in [-1, 1] to N x 1: logarithm of the odds that the head's own code and shape were drawn.
    """

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__(pretrained, told=1)
