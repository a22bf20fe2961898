"""The table of clips: a row for each variant."""

from __future__ import annotations

from collections.abc import Sequence

from masquerade.evaluation.clip_figures import Figures, Run

HEADER = (
    "clip", "variant", "frames", "times equal", "faces", "unchanged", "flicker", "spread, original", "spread", "difference", "SFace accepts",
    "dlib accepts", "obscured", "of those followed", "seconds",
)  # fmt: skip


def row_of(clip: str, run: Run, counted: Figures) -> str:
    """A variant's row in the table."""
    before, after = counted.before.mean, counted.after.mean
    cells = [
        clip,
        run.variant,
        f"{counted.frames}" + (f" ({counted.extra} without counterpart)" if counted.extra else ""),
        f"{counted.times_equal}",
        f"{counted.faces}",
        f"{counted.unchanged}",
        _number(counted.flicker),
        _number(before),
        _number(after),
        _number(None if before is None or after is None else after - before, "+.2f"),
        _share(counted.sface, counted.looked),
        _share(counted.dlib, counted.looked),
        _share(counted.obscured, counted.large),
        _share(run.log.obscured, run.log.large),
        f"{run.seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def markdown(rows: Sequence[str]) -> str:
    """The table of all clips."""
    return "\n".join([f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|", *rows]) + "\n"
