"""What a client has run when its sound is made: an OSC packet, or one command as the documents write it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from unison_engine.errors import BadArguments
from unison_engine.host import osc
from unison_engine.host.osc import Argument, Message

ASSET = "{asset}"
"""Among the arguments it stands for the id of the take, which nobody knows before it is made."""
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"(?!\S)|[^\s"]+(?!\S)')
_INTEGER = re.compile(r"[-+]?\d+")
_DECIMAL = re.compile(r"[-+]?\d*\.\d+|[-+]?\d+\.")


def read(given: bytes) -> list[Message]:
    """The messages of a packet, or the one that a text spells: `/unison/play/start 0 "{asset}" -6.0`.

    Raises:
        BadArguments: it is neither, or a message has no request number.
    """
    messages = osc.decode(given) if b"\0" in given else [_spelt(given)]  # Every packet holds a NUL, and no text does.
    for message in messages:
        osc.request_number(message)
    return messages


def about(messages: list[Message], take_id: str) -> list[Message]:
    """The messages with the take in the place of `ASSET`."""
    return [replace(m, arguments=tuple(take_id if a == ASSET else a for a in m.arguments)) for m in messages]


def _spelt(given: bytes) -> Message:
    text = given.decode("utf-8", "replace")
    if not text.startswith("/") or _WORD.sub("", text).strip():
        raise BadArguments('it is no command; send an OSC packet, or text such as /unison/play/start 0 "{asset}"')
    address, *words = _WORD.findall(text)
    try:
        return Message(address, tuple(_argument(word) for word in words))
    except json.JSONDecodeError as error:
        raise BadArguments(f"its quoted text is read as in JSON ({error}); mend it, or send an OSC packet") from error


def _argument(word: str) -> Argument:
    if word.startswith('"'):
        return str(json.loads(word, strict=False))
    if _INTEGER.fullmatch(word):
        return int(word)
    return float(word) if _DECIMAL.fullmatch(word) else word
