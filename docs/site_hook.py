"""Hook of mkdocs: what a page links to outside of `docs/` becomes a page of the site, and sounds become players.

Pages are plain Markdown that works where the repository is browsed; only the site sees what is done here.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SOUNDS = ROOT / "build" / "sounds"
README = ROOT / "README.md"
START = "start.md"

_LINK = re.compile(r"(?P<text>!?\[[^]]*\])\((?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
_SOUND = re.compile(r"<!-- sound: (\w+) -->")


def site_path(target: Path) -> str | None:
    """Where a file or folder of the repository is in the site; None for a folder without README."""
    if target.is_dir():
        target /= "README.md"
    if not target.is_file():
        return None
    if target == README:
        return START
    if target.is_relative_to(DOCS):
        return target.relative_to(DOCS).as_posix()
    place = f"repository/{target.relative_to(ROOT).as_posix()}"
    return place if target.suffix == ".md" else f"{place}.md"


def rewrite(markdown: str, origin: Path) -> tuple[str, list[Path]]:
    """Links of the page that is read from `origin`, as the site has them, and the files that they lead to.

    Args:
        markdown: of the page.
        origin: its file in the repository.

    Returns:
        The page, in which a link to a folder without README is text; and every file outside of `docs/` it links to.
    """
    own = site_path(origin)
    assert own
    found: list[Path] = []

    def link(match: re.Match[str]) -> str:
        target = (origin.parent / match["path"]).resolve()
        if not target.exists() or not target.is_relative_to(ROOT) or target == ROOT:
            return match[0]
        place = site_path(target)
        if place is None:
            return match["text"][1:-1]
        if not target.is_relative_to(DOCS):
            found.append(target / "README.md" if target.is_dir() else target)
        return f"{match['text']}({posixpath.relpath(place, posixpath.dirname(own))}{match['anchor'] or ''})"

    return _LINK.sub(link, markdown), found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README, whatever is linked to outside of `docs/`, and the sounds."""
    waiting = [README, *(Path(file.abs_src_path or "") for file in files.documentation_pages())]
    known = set(waiting[1:])
    while waiting:
        origin = waiting.pop()
        text = origin.read_text(encoding="utf-8")
        if origin.suffix != ".md":
            text = f"# {origin.relative_to(ROOT).as_posix()}\n\n```{origin.suffix[1:]}\n{text}```\n"
            linked: list[Path] = []
        else:
            text, linked = rewrite(text, origin)
        if origin not in known:
            files.append(File.generated(config, site_path(origin) or "", content=text))
            known.add(origin)
        waiting += [path for path in linked if path not in known]
    for path in sorted(SOUNDS.glob("*.*")):
        files.append(File.generated(config, f"sounds/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of a page of `docs/`, and players where a comment names a sound."""

    def url(name: str) -> str:
        file = files.get_file_from_path(f"sounds/{name}")
        if file is None:
            raise PluginError(f"{SOUNDS / name} is missing; run: python -m docs.render_sounds")
        return file.url_relative_to(page.file)

    def player(match: re.Match[str]) -> str:
        name = match[1]
        return (
            f'<div class="sound"><img src="{url(name + ".png")}" alt="Spectrogram of the sound" loading="lazy">'
            f'<audio controls preload="none" src="{url(name + ".flac")}"></audio></div>'
        )

    if page.is_homepage:
        page.meta["hide"] = ["navigation"]
    if page.file.generated_by is None and page.file.abs_src_path:
        markdown, _ = rewrite(markdown, Path(page.file.abs_src_path))
    return _SOUND.sub(player, markdown)
