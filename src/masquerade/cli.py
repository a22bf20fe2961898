"""The command: plan, progress, summary, exit code; no logic of pictures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from masquerade.arguments import Options, parse
from masquerade.errors import MasqueradeError, UnreadableInput
from masquerade.media.files import Job, plan, refuse_input
from masquerade.media.photo_encoding import write_photo
from masquerade.media.photos import read_photo
from masquerade.memory import share_one_heap
from masquerade.report import FileReport, refuse_other_than_report, summary, write_report
from masquerade.types import FaceReport, Floats, Pixels, Result

if TYPE_CHECKING:
    from masquerade.video import ClipResult, VideoOptions
    from masquerade.video import Progress as FrameProgress

OK, FAILED, INTERRUPTED = 0, 2, 130
"""Exit codes."""

COMMANDS = {
    "train": ("masquerade.training.__main__", "train"),
    "export": ("masquerade.training.export", "train"),
    "evaluate": ("masquerade.evaluation.__main__", "evaluate"),
}
"""The first words that mean another command: its module, and the extra that installs what it needs."""


class PhotoAnonymizer(Protocol):
    """What a run needs of an `Anonymizer`."""

    def photo(self, rgb: Pixels) -> Result: ...

    def video(
        self, source: Path, target: Path, options: VideoOptions, on_progress: FrameProgress, on_faces: Callable[[Sequence[FaceReport]], None]
    ) -> ClipResult: ...

    def people(self, photo: Pixels) -> list[Floats]: ...


@dataclass
class Outcome:
    """What became of the inputs so far."""

    done: list[FileReport] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: the words after the command's name; None takes them from the system.

    Returns:
        0, 2 when an input failed, 130 when interrupted.
    """
    share_one_heap()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in COMMANDS:
            return _command(words[0], words[1:])
        return run(parse(words), anonymizer_for)
    except KeyboardInterrupt:
        _say("stopped; finished outputs are kept.")
        return INTERRUPTED
    except (MasqueradeError, OSError) as error:
        _say(str(error))
        return FAILED


def anonymizer_for(options: Options) -> PhotoAnonymizer:
    """The real anonymiser, its networks loaded."""
    from masquerade.anonymizer import Anonymizer

    key = None if options.key is None else read_key(options.key)
    return Anonymizer(method=options.method, shape=options.shape, seed=options.seed, key=key, threads=options.threads)


def read_key(path: Path) -> bytes:
    """The bytes of a key's file.

    Raises:
        UnreadableInput: it cannot be read, or is empty.
    """
    try:
        key = path.read_bytes()
    except OSError as error:
        raise UnreadableInput(f"The key {path} cannot be read ({error.strerror or error}).") from error
    if not key:
        raise UnreadableInput(f"The key {path} is empty; fill it, for example with: head -c 32 /dev/urandom > {path}")
    return key


def run(options: Options, make_anonymizer: Callable[[Options], PhotoAnonymizer]) -> int:
    """Anonymises all inputs.

    Args:
        options: what was asked for.
        make_anonymizer: called once, and only if there is something to anonymise.

    Returns:
        The exit code.

    Raises:
        MasqueradeError: nothing at all could be done.
    """
    started = time.monotonic()
    planned = plan(options.inputs, options.output, options.recursive, options.overwrite)
    if options.report:
        refuse_input(options.report, planned, "report")
        refuse_other_than_report(options.report)
    outcome = Outcome(failed=dict(planned.refused))
    for sentence in outcome.failed.values():
        _say(sentence)
    anonymizer = make_anonymizer(options) if planned.jobs else None
    try:
        if anonymizer:
            _work(planned.jobs, options, anonymizer, outcome)
    finally:
        if options.report:
            write_report(options.report, outcome.done, outcome.failed)
    if not options.quiet:
        print(summary(outcome.done, outcome.failed, time.monotonic() - started))
    return FAILED if outcome.failed else OK


def _work(jobs: Sequence[Job], options: Options, anonymizer: PhotoAnonymizer, outcome: Outcome) -> None:
    console = Console(stderr=True)
    shown = len(jobs) > 1 and console.is_terminal and not options.quiet
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not shown, transient=True) as progress:
        bar = progress.add_task("", total=len(jobs))
        for job in jobs:
            progress.update(bar, description=job.source.name)
            sentence = _attempt(job, options, anonymizer, outcome, _frames_shown(progress, job))
            if sentence:
                outcome.failed[job.source] = sentence
                _say(sentence)
            progress.advance(bar)


def _attempt(job: Job, options: Options, anonymizer: PhotoAnonymizer, outcome: Outcome, on_progress: FrameProgress) -> str:
    """Anonymises one file; the sentence that says why it could not be, or what was lost, or nothing."""
    try:
        if job.kind == "video":
            report, lost = _video(job, options, anonymizer, on_progress)
            outcome.done.append(report)
            return lost
        outcome.done.append(_photo(job, options, anonymizer))
    except MasqueradeError as error:
        return str(error)
    except OSError as error:
        return f"{job.source} failed ({error.strerror or error})."
    except MemoryError:
        return f"{job.source} does not fit into memory; make it smaller."
    except Exception as error:
        # One file must not end a run of thousands; nothing was written for it.
        return f"{job.source} failed by a fault of masquerade ({type(error).__name__}: {error}); please report it."
    return ""


def _photo(job: Job, options: Options, anonymizer: PhotoAnonymizer) -> FileReport:
    photo = read_photo(job.source, options.max_pixels)
    result = anonymizer.photo(photo.pixels)
    write_photo(job.target, photo, result.pixels, options.quality, options.keep_metadata, options.overwrite)
    return FileReport(job.source, job.target, 1, result.faces)


def _video(job: Job, options: Options, anonymizer: PhotoAnonymizer, on_progress: FrameProgress) -> tuple[FileReport, str]:
    from masquerade.media.video_encoding import Encoding
    from masquerade.media.videos import Span
    from masquerade.video import VideoOptions

    keep = tuple(person for path in options.keep for person in _people_on(path, options, anonymizer))
    encoding = Encoding(options.codec, options.crf, options.keep_metadata)
    asked = VideoOptions(Span(options.start, options.end), encoding, keep, overwrite=options.overwrite, threads=options.threads)
    faces: list[FaceReport] = []
    result = anonymizer.video(job.source, job.target, asked, on_progress, faces.extend)
    return FileReport(job.source, job.target, result.frames, tuple(faces)), result.lost


def _people_on(path: Path, options: Options, anonymizer: PhotoAnonymizer) -> list[Floats]:
    found = anonymizer.people(read_photo(path, options.max_pixels).pixels)
    if not found:
        raise UnreadableInput(f"No face is found on {path}; choose another photo of who is to be kept.")
    return found


def _frames_shown(progress: Progress, job: Job) -> FrameProgress:
    """A second bar for the frames of a clip, which comes with its first frame."""
    bars: dict[str, TaskID] = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = progress.add_task(f"  {stage} faces", total=total or None)
        progress.update(bars[stage], completed=done, visible=done < total)

    return show


def _command(word: str, words: list[str]) -> int:
    """Another command; what it needs may not be installed."""
    module, extra = COMMANDS[word]
    try:
        return int(import_module(module).main(words))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "masquerade":
            raise
        _say(f"{word} needs {error.name}; install it with: pip install 'masquerade[{extra}]'")
        return FAILED


def _say(sentence: str) -> None:
    print(f"masquerade: {sentence}", file=sys.stderr)
