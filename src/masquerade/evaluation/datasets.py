"""The photos to measure on, as plain folders that `masquerade` and `masquerade evaluate` take.

    python -m masquerade.evaluation.datasets --data DIR --out DIR

DIR holds the packs (`lfw.tar`, `celeba.tar`, `fairface.tar`, the folders `portraits` and `groups`). Networks that were trained on any of these people
cannot be measured on them.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from masquerade.errors import MasqueradeError
from masquerade.evaluation.photos import IDENTITIES, photos_in

LFW_PEOPLE, LFW_SECOND_PHOTOS = 250, 50

Photos = Iterator[tuple[str, bytes]]
"""File name and content."""


def build(data: Path, out: Path) -> dict[str, int]:
    """Writes every set whose pack is there.

    Args:
        data: the folder of the packs.
        out: where the sets' folders go; photos already there are written again.

    Returns:
        How many photos each set holds.
    """
    packs: dict[str, tuple[Path, Callable[[Path], Photos]]] = {
        "portraits": (data / "portraits", _folder),
        "groups": (data / "groups", _folder),
        "lfw": (data / "lfw.tar", _lfw),
        "fairface": (data / "fairface.tar", _fairface),
        "celeba-test": (data / "celeba.tar", _celeba_test),
    }
    counts = {}
    for name, (pack, read) in packs.items():
        if pack.exists():
            counts[name] = _write(out / name, read(pack))
    if not counts:
        raise MasqueradeError(f"There is no pack in {data}; give the folder that holds lfw.tar, celeba.tar, fairface.tar, portraits or groups.")
    return counts


def _write(folder: Path, photos: Photos) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, content in photos:
        (folder / name).write_bytes(content)
        count += 1
    return count


def _folder(folder: Path) -> Photos:
    for path in photos_in(folder):
        yield path.name, (folder / path).read_bytes()


def _lfw(pack: Path) -> Photos:
    """300 photos of 250 people, the same in every call; `<Name>_0001.jpg`."""
    rng = random.Random(0)
    with tarfile.open(pack) as archive:
        photos = defaultdict(list)
        for name in sorted(n for n in archive.getnames() if n.endswith(".jpg")):
            photos[PurePosixPath(name).parent.name].append(name)
        people = rng.sample(sorted(photos), min(LFW_PEOPLE, len(photos)))
        chosen = [photos[person][0] for person in people]
        chosen += [photos[person][1] for person in people if len(photos[person]) > 1][:LFW_SECOND_PHOTOS]
        for name in sorted(chosen):
            yield PurePosixPath(name).name, _content(archive, name)


def _fairface(pack: Path) -> Photos:
    with tarfile.open(pack) as archive:
        for name in sorted(n for n in archive.getnames() if n.startswith("images/")):
            yield PurePosixPath(name).name, _content(archive, name)


def _celeba_test(pack: Path) -> Photos:
    """The people that no network has seen; `<identity>_<photo>.jpg`."""
    with tarfile.open(pack) as archive:
        rows = csv.DictReader(_content(archive, IDENTITIES).decode().splitlines())
        for row in rows:
            if row["split"] == "test":
                yield f"{row['identity']}_{row['file']}", _content(archive, f"images/{row['file']}")


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise MasqueradeError(f"{name} in {archive.name!s} is not a file; get the pack again.")
    return member.read()


def main(argv: Sequence[str] | None = None) -> int:
    """Builds the sets and says how large they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the packs")
    parser.add_argument("--out", type=Path, required=True, help="where the sets' folders go")
    args = parser.parse_args(argv)
    try:
        counts = build(args.data, args.out)
    except (MasqueradeError, OSError, tarfile.TarError) as error:
        print(f"masquerade: {error}", file=sys.stderr)
        return 2
    for name, count in counts.items():
        print(f"{args.out / name}: {count} photos")
    return 0


if __name__ == "__main__":
    sys.exit(main())
