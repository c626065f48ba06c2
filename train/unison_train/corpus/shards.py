"""A corpus in shards: tar files read front to back, for more clips than fit into memory.

A shard is laid out as WebDataset's are (https://github.com/webdataset/webdataset): of each clip the audio file as it
was, `00000012.flac`, and beside it its row of the manifest, `00000012.json`. Clips are shuffled before they are dealt
out, so that any shard is a fair sample of its split. `shards.json` lists the shards, each with its SHA-256.
"""

from __future__ import annotations

import hashlib
import io
import math
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from tqdm import tqdm

from unison_engine.errors import BadArguments, UnknownAsset
from unison_train.corpus.manifest import Clip, Split, read_manifest, row, summarise

INDEX = "shards.json"
MEBIBYTE = 2**20


class Shard(BaseModel):
    """One tar file: its name beside the index, and what lies in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    split: Split
    clips: int
    seconds: float
    sha256: str


class Shards(BaseModel):
    """The shards of a corpus; `summary` tells of its training clips what a checkpoint's record tells of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    summary: dict[str, Any]
    shards: tuple[Shard, ...]

    def of(self, split: str) -> list[Shard]:
        """The shards of one split, in order."""
        return [shard for shard in self.shards if shard.split == split]


def write_shards(corpus: Path, out: Path, mebibytes: float = 60.0, seed: int = 0) -> Shards:
    """Deal the clips of every manifest in `corpus` out into shards of at most so many MiB; the index comes last.

    A clip that is larger gets a shard of its own. The same clips and seed give the same bytes.

    Raises:
        BadArguments: `out` holds an index already, or `mebibytes` is not positive.
        UnknownAsset: there is no manifest, or one that cannot be read.
    """
    if mebibytes <= 0:
        raise BadArguments(f"shards of {mebibytes:g} MiB hold nothing; give a size over 0, such as 60.")
    if (out / INDEX).exists():
        raise BadArguments(f"{out} holds shards already; give another folder, or delete them.")
    manifests = sorted(corpus.glob("*.jsonl"))
    if not manifests:
        raise UnknownAsset(f"{corpus} holds no manifest (*.jsonl); run `unison-train corpus build {corpus}`.")
    clips = [clip for manifest in manifests for clip in read_manifest(manifest)]
    out.mkdir(parents=True, exist_ok=True)
    shards: list[Shard] = []
    with tqdm(total=len(clips), desc="shards", unit="clip", disable=None) as bar:
        for split in get_args(Split):
            rows = [clip for clip in clips if clip.split == split]
            rows = [rows[place] for place in np.random.default_rng(seed).permutation(len(rows))]
            for number, part in enumerate(_dealt(corpus, rows, mebibytes * MEBIBYTE)):
                shards.append(_write(out / f"{split}-{number:05}.tar", corpus, split, part))
                bar.update(len(part))
    found = Shards(summary=summarise([clip for clip in clips if clip.split == "train"]), shards=tuple(shards))
    (out / INDEX).write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return found


def read_index(path: Path) -> Shards:
    """The index of a folder of shards.

    Raises:
        UnknownAsset: there is none, or a shard that it lists is not beside it.
        BadArguments: it is not an index of this version.
    """
    if not path.is_file():
        raise UnknownAsset(f"there is no {path}; make it with `unison-train corpus shard CORPUS {path.parent}`.")
    try:
        found = Shards.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise BadArguments(f"{path} is no index of shards: {error}") from error
    if missing := [shard.name for shard in found.shards if not (path.parent / shard.name).is_file()]:
        raise UnknownAsset(f"{path} lists {', '.join(missing[:3])}, not there; copy all shards beside it.")
    return found


def read_shard(folder: Path, shard: Shard) -> Iterator[tuple[Clip, bytes]]:
    """Rows of the clips of a shard, each with its audio file.

    Raises:
        UnknownAsset: the file is not the one that was written.
    """
    data = (folder / shard.name).read_bytes()
    if hashlib.sha256(data).hexdigest() != shard.sha256:
        raise UnknownAsset(f"{folder / shard.name} is damaged: its SHA-256 is not that of {INDEX}; copy it again.")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = [tar.extractfile(member) for member in tar]
        for described, audio in zip(files[::2], files[1::2], strict=True):
            assert described is not None and audio is not None, "the hash says that it is what was written: files only"
            yield Clip.model_validate_json(described.read()), audio.read()


def _dealt(corpus: Path, clips: Sequence[Clip], limit: float) -> Iterator[list[Clip]]:
    """`clips` in parts whose tar files stay within `limit` bytes."""
    part: list[Clip] = []
    size = 0
    for clip in clips:
        bytes_of_clip = _in_tar((corpus / clip.path).stat().st_size) + _in_tar(len(_row(clip)))
        if part and size + bytes_of_clip > limit:
            yield part
            part, size = [], 0
        part.append(clip)
        size += bytes_of_clip
    if part:
        yield part


def _in_tar(size: int) -> int:
    """Bytes that a file takes in a tar: a header of one block, and its data in whole blocks."""
    return tarfile.BLOCKSIZE * (1 + math.ceil(size / tarfile.BLOCKSIZE))


def _row(clip: Clip) -> bytes:
    return row(clip).encode()


def _write(path: Path, corpus: Path, split: Split, clips: Sequence[Clip]) -> Shard:
    unfinished = path.with_name(path.name + ".part")
    with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, clip in enumerate(clips):
            audio = (corpus / clip.path).read_bytes()
            for ending, data in ((".json", _row(clip)), (Path(clip.path).suffix, audio)):
                member = tarfile.TarInfo(f"{number:08}{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    unfinished.replace(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    seconds = round(sum(clip.seconds for clip in clips), 3)
    return Shard(name=path.name, split=split, clips=len(clips), seconds=seconds, sha256=digest)
