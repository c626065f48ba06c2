"""What a take's file tells of itself: `bext` for every audio program, `iXML` for people and for the engine.

`bext` is that of EBU Tech 3285 version 2 (Broadcast Wave). Sound libraries and DAWs show it and keep it, but it is
ASCII and short, so the recipe goes into `iXML` (revision 3.01, gallery.co.uk/ixml): NOTE is the prompt, and a vendor's
tree, which the specification provides for, holds the whole take as JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

from unison_engine.takes.take import Take
from unison_engine.takes.wavefile import BITS, RATE

_BEXT = "<256s32s32s10s8sQH64s5h180x"
_VERSION = 2
_NOT_MEASURED = 0x7FFF
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def bext(take: Take, pcm: bytes) -> bytes:
    """The broadcast extension of a take: the prompt, UTC date and time, and its loudness.

    The originator's reference is the beginning of the SHA-256 of the samples: two files with the same reference
    hold the same sound. The time reference is 0, for a made sound was recorded at no time of day.
    """
    recipe = take.recipe
    # Under a block of the gate there is no integrated loudness, see `unison_engine.loudness`.
    lufs = take.lufs if take.seconds >= 0.4 else None
    fields = struct.pack(
        _BEXT,
        _ascii(recipe.prompt),
        _ascii(f"Unison Engine {recipe.engine}"),
        hashlib.sha256(pcm).hexdigest()[:32].encode(),
        f"{recipe.created:%Y-%m-%d}".encode(),
        f"{recipe.created:%H:%M:%S}".encode(),
        0,
        _VERSION,
        b"",
        _hundredths(lufs),
        _NOT_MEASURED,
        _hundredths(take.true_peak),
        _NOT_MEASURED,
        _NOT_MEASURED,
    )
    # One line per step of processing, after EBU R 98.
    return fields + f"A=PCM,F={RATE},W={BITS},M=mono,T=Unison Engine {recipe.engine}\r\n".encode()


def ixml(take: Take) -> bytes:
    """The iXML of a take; the file's name is not in it, so that a file may be renamed."""
    root = ElementTree.Element("BWFXML")
    ElementTree.SubElement(root, "IXML_VERSION").text = "3.01"
    ElementTree.SubElement(root, "NOTE").text = _NOT_XML.sub(" ", take.recipe.prompt)
    vendor = ElementTree.SubElement(root, "UNISON")
    # In ASCII, since JSON may hold characters that XML may not.
    ElementTree.SubElement(vendor, "TAKE").text = json.dumps(take.model_dump(mode="json", exclude={"id"}))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True))


def take_document(chunks: dict[bytes, bytes], path: Path) -> str | None:
    """The take as JSON, from the chunks of its file, or from the JSON beside it that engine 0.1 wrote; else None.

    Raises:
        OSError: the JSON beside it cannot be read.
    """
    found, record = own_document(chunks), path.with_suffix(".json")
    return record.read_text(encoding="utf-8") if found is None and record.is_file() else found


def own_document(chunks: dict[bytes, bytes]) -> str | None:
    """The take as JSON, from the chunks of its file alone."""
    try:
        return ElementTree.fromstring(chunks.get(b"iXML", b"").rstrip(b"\0")).findtext("UNISON/TAKE")
    except ElementTree.ParseError:
        return None


def parse_take(document: str, path: Path) -> Take:
    """A take from its JSON and the file it is in.

    Raises:
        ValueError: it is not the JSON of a take, or of a later version's.
    """
    found = json.loads(document)
    if not isinstance(found, dict):
        raise ValueError(f"a take is an object in JSON, not a {type(found).__name__}")
    return Take.model_validate({**found, "id": path.stem, "path": path})


def _ascii(text: str) -> bytes:
    # `struct` cuts what is too long and fills up with zeros.
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return re.sub(r"[\x00-\x1f\x7f]", " ", plain).encode("ascii", "replace")


def _hundredths(decibels: float | None) -> int:
    return round(100 * decibels) if decibels is not None and -99.99 <= decibels <= 99.99 else _NOT_MEASURED
