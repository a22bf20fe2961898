"""Which file becomes which: inputs are found, outputs are named, and nothing of the user's is ever overwritten by chance."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from masquerade.errors import UnwritableOutput
from masquerade.media.photos import FORMATS
from masquerade.media.videos import SUFFIXES as VIDEO_SUFFIXES
from masquerade.media.whole_files import refuse_existing

Kind = Literal["photo", "video"]


@dataclass(frozen=True)
class Job:
    """One file to anonymise, and where to."""

    source: Path
    target: Path
    kind: Kind


@dataclass
class Plan:
    """What a run will do.

    Attributes:
        jobs: in the order in which they are done.
        refused: why an input gets no output, one sentence each.
    """

    jobs: list[Job] = field(default_factory=list)
    refused: dict[Path, str] = field(default_factory=dict)


def plan(inputs: Sequence[Path], output: Path, recursive: bool = False, overwrite: bool = False) -> Plan:
    """Finds the photos and videos, and names their outputs.

    One file becomes `output` itself where that name ends like a photo's or a video's; everything else goes into the folder `output` under
    its own name, what lies in an input folder by its path from there.

    Args:
        inputs: files and folders.
        output: a file or a folder; need not exist.
        recursive: take folders inside folders too.
        overwrite: outputs that exist may be replaced.

    Raises:
        UnwritableOutput: `output` cannot be what the inputs need.
    """
    made = Plan()
    pairs = _file_to_file(inputs, output) or list(_into_folder(made, inputs, output, recursive))
    # The same file under two spellings is one input.
    pairs = list({(_identity(source) or source, target): (source, target) for source, target in pairs}.values())
    uses = Counter(os.path.normcase(os.path.abspath(target)) for _, target in pairs)
    originals = {identity for source, _ in pairs if (identity := _identity(source))}
    for source, target in pairs:
        kind = kind_of(source)
        if not os.path.lexists(source):
            made.refused[source] = f"{source} does not exist."
        elif target.suffix.lower() not in (VIDEO_SUFFIXES if kind == "video" else FORMATS):
            made.refused[source] = f"{target} does not end like a {kind}; choose a name such as {target.stem}{'.mp4' if kind == 'video' else '.jpg'}."
        elif uses[os.path.normcase(os.path.abspath(target))] > 1:
            made.refused[source] = f"{source} and another input would both become {target}; anonymise them into different folders."
        elif _identity(target) in originals:
            made.refused[source] = f"{target} is an input itself; choose another output."
        else:
            try:
                refuse_existing(target, overwrite)
            except UnwritableOutput as error:
                made.refused[source] = str(error)
            else:
                made.jobs.append(Job(source, target, kind))
    return made


def kind_of(path: Path) -> Kind:
    """What a file is by its name: a video where it ends like one, else a photo."""
    return "video" if path.suffix.lower() in VIDEO_SUFFIXES else "photo"


def refuse_input(target: Path, made: Plan, what: str) -> None:
    """Raises UnwritableOutput where a file that is written besides the outputs would take the place of an input or an output."""
    taken = [path for job in made.jobs for path in (job.source, job.target)] + list(made.refused)
    if os.path.abspath(target) in {os.path.abspath(path) for path in taken} or _identity(target) in {_identity(p) for p in taken} - {None}:
        raise UnwritableOutput(f"{target} is an input or an output; choose another name for the {what}.")


def _file_to_file(inputs: Sequence[Path], output: Path) -> list[tuple[Path, Path]]:
    """The one pair, where there is one input that is no folder and the output names a file."""
    names_a_file = output.suffix.lower() in {*FORMATS, *VIDEO_SUFFIXES} and not os.path.isdir(output)
    if not names_a_file:
        if os.path.lexists(output) and not os.path.isdir(output):
            raise UnwritableOutput(f"{output} is a file; choose a folder, or a name that ends in .jpg or the like.")
        return []
    if len(inputs) > 1 or os.path.isdir(inputs[0]):
        raise UnwritableOutput(f"{output} names one file; choose a folder for several inputs.")
    return [(inputs[0], output)]


def _into_folder(made: Plan, inputs: Iterable[Path], output: Path, recursive: bool) -> Iterator[tuple[Path, Path]]:
    for given in inputs:
        if not os.path.isdir(given):
            yield given, output / given.name
            continue
        found = list(_walk(made, given, output, recursive))
        yield from ((path, output / path.relative_to(given)) for path in found)
        if not found:
            made.refused.setdefault(given, f"{given} holds no photo or video{'' if recursive else '; add --recursive to look into its folders'}.")


def _walk(made: Plan, folder: Path, output: Path, recursive: bool) -> Iterator[Path]:
    """The photos and videos in a folder, but for hidden ones and what an earlier run put into `output`."""

    def unreadable(error: OSError) -> None:
        made.refused[Path(error.filename)] = f"{error.filename} cannot be opened ({error.strerror})."

    for here, folders, names in os.walk(folder, onerror=unreadable):
        kept = sorted(n for n in folders if recursive and not n.startswith(".") and not _is_same(Path(here, n), output))
        folders[:] = kept
        yield from (Path(here, n) for n in sorted(names) if not n.startswith(".") and Path(n).suffix.lower() in {*FORMATS, *VIDEO_SUFFIXES})


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells files apart whatever they are called, through links too; None where there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _is_same(one: Path, other: Path) -> bool:
    identity = _identity(one)
    return identity is not None and identity == _identity(other)
