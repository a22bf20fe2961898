"""Clips, written: new pictures, the old sound and subtitles, the old times. A file has its final name only when it is whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.error import FFmpegError
from av.packet import Packet
from av.video.format import VideoFormat
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from masquerade.errors import MasqueradeError, UnwritableOutput
from masquerade.media.codecs import ENCODERS, Codec, matrix_for_rgb, pixel_format_for
from masquerade.media.frames import FULL_RANGE, Turner
from masquerade.media.gifs import Palettes, loops_of
from masquerade.media.remuxing import OtherStreams
from masquerade.media.videos import Clip, Span
from masquerade.media.whole_files import whole_file

CONTAINERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi",
    ".mpg": "vob", ".mpeg": "vob", ".ts": "mpegts", ".mts": "mpegts", ".m2ts": "mpegts", ".flv": "flv", ".3gp": "3gp", ".gif": "gif",
}  # fmt: skip
"""A name's suffix to FFmpeg's name of the format that is written; `vob` is MPEG's program stream with fewer limits."""

TURNING = frozenset({"mp4", "mov", "matroska", "webm"})
"""Formats that can say that their frames are to be turned when shown."""


@dataclass(frozen=True)
class Encoding:
    """How a clip is written.

    Attributes:
        codec: None takes vp9 for .webm, else h264.
        crf: quality, smaller is better and larger in bytes; None takes what nobody sees a difference with.
        keep_metadata: also copies title, place, date, chapters, and streams of data such as a camera's track of places.
    """

    codec: Codec | None = None
    crf: int | None = None
    keep_metadata: bool = False


class ClipWriter:
    """Writes one clip. Used in a `with` block: the file appears when the block ends well, and nothing is left when it does not.

    Args:
        clip: where sound, subtitles, colours and times come from.
        target: the file to be; its suffix chooses the format.
        span: the part of `clip` that is written; its start becomes time zero.
        encoding: codec and quality.
        overwrite: replace what is there.
        threads: how many threads the encoder may use.

    Raises:
        UnwritableOutput: the file exists, the format does not or cannot hold the codec or the sound, or the folder cannot be written to.
    """

    def __init__(self, clip: Clip, target: Path, span: Span, encoding: Encoding, overwrite: bool = False, threads: int = 2) -> None:
        self._clip, self._target = clip, target
        format_name = CONTAINERS.get(target.suffix.lower())
        if format_name is None:
            raise UnwritableOutput(f"{target} cannot be written as a video; choose a name that ends in {', '.join(CONTAINERS)}.")
        # Whoever asks for a span wants it to begin at once; a whole clip keeps its clock.
        self._shift_s = Fraction(span.start_s) + clip.origin_s if span.start_s > 0 else Fraction(0)
        # AVI knows frame numbers, not times.
        self._time_base = 1 / clip.rate if format_name == "avi" else clip.time_base
        self._last, self._durations = -(1 << 62), dict[int, int]()
        turning = clip.turns and format_name not in TURNING
        self._turner = Turner(clip) if turning else None
        self._width, self._height = (clip.height, clip.width) if turning and clip.turns % 2 else (clip.width, clip.height)
        self._palettes = Palettes() if format_name == "gif" else None
        with contextlib.ExitStack() as open_files:
            file = open_files.enter_context(whole_file(target, overwrite))
            with self._errors_named():
                options = {"loop": str(loops_of(clip.path))} if format_name == "gif" else {}
                self._output = av.open(file, "w", format=format_name, container_options=options)
                open_files.callback(self._close_quietly)
                self._pictures = self._add_pictures(format_name, encoding, threads)
                self._others = None if format_name == "gif" else open_files.enter_context(OtherStreams(clip.path, span, self._shift_s))
                if self._others:
                    self._others.join(self._output, target, encoding.keep_metadata)
            self._open_files = open_files.pop_all()

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._open_files:
            if error is not None:
                raise error
            with self._errors_named():
                self._mux(self._pictures.encode(None))
                if self._others:
                    self._others.copy_until(None)
                self._output.close()

    @property
    def turns(self) -> int:
        """Quarter turns counterclockwise that set a prepared frame upright."""
        return 0 if self._turner else self._clip.turns

    def prepared(self, frame: VideoFrame) -> VideoFrame:
        """The frame in the pixel format that is encoded, and upright where the file cannot say how: changes to it are not converted again."""
        if self._turner:
            frame = self._turner(frame)
        if self._palettes:
            frame = frame.reformat(format="rgba")
            self._palettes.choose(frame)
            return frame
        wanted = str(self._pictures.codec_context.pix_fmt)
        if frame.format.name == wanted:
            return frame
        if frame.format.is_rgb or frame.format.has_palette:
            return frame.reformat(format=wanted, dst_colorspace=matrix_for_rgb(self._clip.height)[0], dst_color_range=ColorRange.MPEG)
        if frame.format.name.startswith("yuvj"):
            return frame.reformat(format=wanted, src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.JPEG)
        return frame.reformat(format=wanted)

    def write(self, frame: VideoFrame) -> None:
        """Encodes a prepared frame, whose `pts` counts in the clip's time base.

        Raises:
            UnwritableOutput: the disk is full, or the encoder refuses.
        """
        assert frame.pts is not None
        base = self._time_base
        duration = round(frame.duration * self._clip.time_base / base) or max(1, round(1 / (self._clip.rate * base)))
        self._last = max(self._last + 1, round((frame.pts * self._clip.time_base - self._shift_s) / base))
        frame.pts, frame.time_base, self._durations[self._last] = self._last, base, duration
        # Else the encoder would copy the source's pattern of key frames.
        frame.pict_type = PictureType.NONE
        with self._errors_named():
            self._mux(self._pictures.encode(self._palettes(frame) if self._palettes else frame))

    def _add_pictures(self, format_name: str, encoding: Encoding, threads: int) -> VideoStream:
        clip = self._clip
        codec = encoding.codec or ("vp9" if format_name == "webm" else "h264")
        encoder, crf, options = ENCODERS[codec]
        if format_name == "gif":
            # FFmpeg takes a pixel for unchanged by its number, also where the palette behind the number changed.
            encoder, options = "gif", {"gifflags": "-transdiff"}
        else:
            options = options | {"crf": str(crf if encoding.crf is None else encoding.crf)}
        try:
            stream = self._output.add_stream(encoder, rate=clip.rate, options=options, width=self._width, height=self._height)
        except ValueError as error:
            raise UnwritableOutput(f"{self._target} cannot hold {codec}; choose another codec, or a name that ends in .mkv.") from error
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.time_base = self._time_base
        if format_name == "avi":
            context.max_b_frames = 0
        context.thread_count = threads
        context.sample_aspect_ratio = 1 / clip.pixel_aspect if self._turner and clip.turns % 2 else clip.pixel_aspect
        if format_name == "gif":
            context.pix_fmt = "pal8"
            return stream
        context.pix_fmt = pixel_format_for(clip, encoder)
        source = VideoFormat(clip.pixel_format, 16, 16)
        colours = clip.colours
        if source.is_rgb or source.has_palette:
            context.color_range, context.colorspace = int(ColorRange.MPEG), matrix_for_rgb(clip.height)[1]
        else:
            context.color_range = FULL_RANGE if clip.pixel_format.startswith("yuvj") else colours.range
            context.colorspace, context.color_primaries, context.color_trc = colours.matrix, colours.primaries, colours.transfer
        if clip.display_matrix and format_name in TURNING:
            stream.set_display_matrix(clip.display_matrix)
        if codec == "hevc" and format_name in ("mp4", "mov"):
            context.codec_tag = "hvc1"
        return stream

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts or 0, packet.duration)
            if self._others and packet.dts is not None and packet.time_base is not None:
                self._others.copy_until(packet.dts * packet.time_base)
            self._output.mux(packet)

    def _close_quietly(self) -> None:
        with contextlib.suppress(FFmpegError, OSError):
            self._output.close()

    @contextlib.contextmanager
    def _errors_named(self) -> Iterator[None]:
        """What FFmpeg and the system say, as an error of ours."""
        try:
            yield
        except MasqueradeError:
            raise
        except (FFmpegError, OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UnwritableOutput(f"{self._target} could not be written ({why}); make room, or choose another folder or format.") from error
