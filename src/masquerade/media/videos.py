"""Clips, read: what a file holds, and its frames one by one with their exact times. FFmpeg, in this process, through PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from masquerade.errors import UnreadableInput

if TYPE_CHECKING:
    from av.container import InputContainer

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".gif", ".wmv", ".flv", ".3gp"})
"""Names that are taken for clips when a folder is searched; a file that is named by the user may be called anything."""

MISSING_S = 0.75
"""A clip that ends earlier than its header says, by more than this, is damaged."""

UNSPECIFIED = 2
"""FFmpeg's number for colours that the file does not describe."""


@dataclass(frozen=True)
class Span:
    """The part of a clip that is wanted, in seconds from its beginning: start <= time < end; None is the clip's end."""

    start_s: float = 0.0
    end_s: float | None = None

    def holds(self, time_s: Fraction | float) -> bool:
        return time_s >= self.start_s and not self.is_past(time_s)

    def is_past(self, time_s: Fraction | float) -> bool:
        return self.end_s is not None and time_s >= self.end_s


@dataclass(frozen=True)
class Colours:
    """How a clip's numbers mean colours: FFmpeg's numbers for range, matrix, primaries and transfer, copied as they are."""

    range: int
    matrix: int
    primaries: int
    transfer: int


@dataclass(frozen=True)
class Clip:
    """What is known of a clip before its frames are read.

    Attributes:
        path: where it lies.
        container: FFmpeg's names of the container's format.
        width: of the frames as they are stored, in pixels.
        height: the same.
        pixel_format: FFmpeg's name.
        colours: what the numbers mean.
        time_base: seconds in one tick of the frames' times.
        rate: frames a second, on average.
        frames: how many there are: an estimate, 0 where nothing is known.
        origin_s: the file's clock at its beginning.
        end_s: the file's clock where its frames should end, None where nothing is known.
        pixel_aspect: width over height of one pixel.
        display_matrix: FFmpeg's nine numbers that turn or mirror the frames when they are shown, or None.
    """

    path: Path
    container: str
    width: int
    height: int
    pixel_format: str
    colours: Colours
    time_base: Fraction
    rate: Fraction
    frames: int
    origin_s: Fraction
    end_s: Fraction | None
    pixel_aspect: Fraction
    display_matrix: tuple[int, ...] | None

    @property
    def turns(self) -> int:
        """Quarter turns counterclockwise that set a stored frame upright, as `np.rot90` counts them; a mirror may be left."""
        if self.display_matrix is None:
            return 0
        # Where the stored picture's downward direction points when it is shown.
        x, y = self.display_matrix[3], self.display_matrix[4]
        if abs(y) >= abs(x):
            return 0 if y >= 0 else 2
        return 1 if x > 0 else 3

    def time_of(self, pts: int) -> Fraction:
        """Seconds from the clip's beginning to a time stamp."""
        return pts * self.time_base - self.origin_s

    def frames_in(self, span: Span) -> int:
        """How many frames a span holds: an estimate for progress bars."""
        if span == Span() or not self.frames:
            return self.frames
        end_s = self.frames / float(self.rate) if span.end_s is None else min(span.end_s, self.frames / float(self.rate))
        return max(0, round((end_s - span.start_s) * float(self.rate)))


def probe(path: Path) -> Clip:
    """Opens a clip and decodes its first frame.

    Args:
        path: any file that FFmpeg reads.

    Returns:
        What it holds.

    Raises:
        UnreadableInput: it is missing, damaged, holds no moving picture, or none of its frames can be read.
    """
    with open_input(path) as container:
        stream = video_stream(container, path)
        first = next(_decoded(container, stream, _Damage()), None)
        if first is None:
            raise UnreadableInput(f"{path} holds no frame that could be read; check that it plays.")
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        time_base = stream.time_base or 1 / rate
        duration_s = stream.duration * time_base if stream.duration else None
        start_s = (stream.start_time or 0) * time_base
        # Cover art and such make a container's start_time None.
        origin_s = Fraction(container.start_time, 1_000_000) if container.start_time is not None else start_s
        length_s = duration_s if duration_s is not None else Fraction(container.duration or 0, 1_000_000)
        matrix = first.side_data.get("DISPLAYMATRIX")
        return Clip(
            path,
            container.format.name,
            first.width,
            first.height,
            first.format.name,
            Colours(int(first.color_range), int(first.colorspace), int(first.color_primaries), int(first.color_trc)),
            time_base,
            rate,
            stream.frames or round(length_s * rate),
            origin_s,
            start_s + duration_s if duration_s else None,
            stream.sample_aspect_ratio or Fraction(1),
            tuple(np.frombuffer(memoryview(matrix), np.int32).tolist()) if isinstance(matrix, SideData) else None,
        )


class Frames:
    """The frames of a clip, in the order in which they are shown; each walk through them reads the file again.

    Args:
        clip: what `probe` said.
        span: the part that is wanted.
        threads: how many threads the decoder may use.

    Attributes:
        lost: one sentence about what could not be read, after a walk; empty for a sound file.
    """

    def __init__(self, clip: Clip, span: Span, threads: int = 2) -> None:
        self.lost = ""
        self._clip, self._span, self._threads = clip, span, threads

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yields decoded frames whose `pts` always rises.

        Raises:
            UnreadableInput: the span holds no frame.
        """
        clip, span = self._clip, self._span
        damage, last, end = _Damage(), None, Fraction(0)
        for frame in self._from_start(damage):
            if (frame.width, frame.height) != (clip.width, clip.height):
                # A stream may change its size on the way; players show it in one size.
                frame = frame.reformat(width=clip.width, height=clip.height)
            if frame.pts is None:
                frame.pts = 0 if last is None else last + max(1, round(1 / (clip.rate * clip.time_base)))
            if last is not None and frame.pts <= last:
                frame.pts = last + 1
            if span.is_past(clip.time_of(frame.pts)):
                damage = _Damage()
                break
            end = (frame.pts + (frame.duration or 0)) * clip.time_base
            if span.holds(clip.time_of(frame.pts)):
                last = frame.pts
                yield frame
        else:
            damage.ended_early |= clip.end_s is not None and clip.end_s - end > MISSING_S
        if last is None:
            raise UnreadableInput(f"{clip.path} holds no frame in the time asked for; choose a start and an end inside the clip.")
        if damage:
            self.lost = f"{clip.path} is damaged: only what could be read was anonymised, up to second {float(end - clip.origin_s):.1f}."

    def _from_start(self, damage: _Damage) -> Iterator[VideoFrame]:
        """Frames from the last key frame before the span's start on; from the first one where the file cannot be searched."""
        start = round((Fraction(self._span.start_s) + self._clip.origin_s) / self._clip.time_base)
        if self._span.start_s > 0:
            with open_input(self._clip.path) as container:
                stream = video_stream(container, self._clip.path, self._threads)
                try:
                    container.seek(start, stream=stream)
                    frames = _decoded(container, stream, damage)
                    first = next(frames, None)
                except FFmpegError:
                    first = None
                if first is not None and first.pts is not None and first.pts <= start:
                    yield first
                    yield from frames
                    return
        with open_input(self._clip.path) as container:
            yield from _decoded(container, video_stream(container, self._clip.path, self._threads), damage)


@dataclass
class _Damage:
    ended_early: bool = False
    unreadable_packets: int = 0

    def __bool__(self) -> bool:
        return self.ended_early or self.unreadable_packets > 0


def _decoded(container: InputContainer, stream: VideoStream, damage: _Damage) -> Iterator[VideoFrame]:
    """All frames that can be decoded; looks at the other streams' packets only to see how far the file reaches."""
    reached_s, packets = Fraction(0), container.demux()
    while True:
        try:
            packet = next(packets)
            if packet.pts is not None and packet.time_base is not None:
                reached_s = max(reached_s, (packet.pts + (packet.duration or 0)) * packet.time_base)
            # Not `stream_index`: the empty packet that flushes the decoder has none.
            if packet.stream is not stream:
                continue
        except StopIteration:
            break
        except FFmpegError:
            damage.ended_early = True
            break
        try:
            yield from (frame for frame in packet.decode() if isinstance(frame, VideoFrame))
        except FFmpegError:
            damage.unreadable_packets += 1
    if container.duration and container.start_time is not None:
        damage.ended_early |= Fraction(container.start_time + container.duration, 1_000_000) - reached_s > MISSING_S


def open_input(path: Path) -> InputContainer:
    """Opens a file for reading.

    Raises:
        UnreadableInput: it cannot be opened, or FFmpeg does not know what it is.
    """
    try:
        return av.open(str(path.resolve()), metadata_errors="replace")
    except (FFmpegError, OSError) as error:
        raise UnreadableInput(f"{path} cannot be read as a video ({error.strerror}); check that it plays.") from error


def video_stream(container: InputContainer, path: Path, threads: int = 1) -> VideoStream:
    """The moving picture of a file: cover art and thumbnails are none.

    Raises:
        UnreadableInput: there is only sound.
    """
    moving = [s for s in container.streams.video if not s.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails) and s.codec_context]
    if not moving:
        raise UnreadableInput(f"{path} holds no moving picture, so there is nothing to anonymise; leave it out.")
    stream = next((s for s in moving if s.disposition & Disposition.default), moving[0])
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads
    return stream
