"""Errors with stable codes: the message may change between versions, the code never does."""

from __future__ import annotations

from typing import ClassVar


class UnisonError(Exception):
    """Something went wrong that is none of the other kinds, as a fault of the engine itself.

    Base of every error a user can meet. The first line of each kind is what the OSC reference tells of its code.

    Attributes:
        code: what OSC replies and scripts switch on.
    """

    code: ClassVar[str] = "internal"


class BadArguments(UnisonError):
    """A value is missing, of the wrong type or out of range."""

    code = "bad_args"


class UnknownAddress(UnisonError):
    """No command answers at this OSC address."""

    code = "unknown_address"


class UnknownTask(UnisonError):
    """No plugin registered a task of this name."""

    code = "unknown_task"


class UnknownJob(UnisonError):
    """No job of this name is known."""

    code = "unknown_job"


class UnknownAsset(UnisonError):
    """A recording, take or voice that a request names does not exist or cannot be read."""

    code = "unknown_asset"


class UnknownPlayback(UnisonError):
    """No sound of this number plays or waits to."""

    code = "unknown_playback"


class NotAllowed(UnisonError):
    """The client may not do this; it has yet to give the token, or gave a wrong one."""

    code = "not_allowed"


class QueueFull(UnisonError):
    """The job queue has reached its limit."""

    code = "queue_full"


class TooLarge(UnisonError):
    """An input is longer or larger than the model or the transport takes."""

    code = "too_large"


class ModelMissing(UnisonError):
    """A bundle, or a file of it, is absent, damaged or of another format version."""

    code = "model_missing"


class BackendFailed(UnisonError):
    """A backend is not installed, does not work on this machine, or failed to load or run a graph."""

    code = "backend_failed"


class EngineFailed(UnisonError):
    """TensorRT could not read a graph or build an engine of it."""

    code = "engine_failed"


class PluginFailed(UnisonError):
    """A plugin could not be loaded, or failed while it handled a request.

    Attributes:
        plugin: its name where that is known.
    """

    code = "plugin_failed"

    def __init__(self, message: str, plugin: str = "") -> None:
        super().__init__(message)
        self.plugin = plugin


class LibraryFailed(UnisonError):
    """The folder of takes cannot be read or written: it is gone, full, or not the user's."""

    code = "library_failed"


class DeviceFailed(UnisonError):
    """An audio device could not be opened or stopped working."""

    code = "device_failed"


class Interrupted(UnisonError):
    """What was to do it ended before: the inference worker, or the process of a plugin."""

    code = "interrupted"


class Unreachable(UnisonError):
    """No engine answers at an address, or the line to it was lost."""

    code = "unreachable"


class Cancelled(UnisonError):
    """The job was cancelled at the client's wish."""

    code = "cancelled"


KINDS: dict[str, type[UnisonError]] = {UnisonError.code: UnisonError}
KINDS |= {kind.code: kind for kind in UnisonError.__subclasses__()}
"""The kinds of errors by their codes. Kinds that are declared elsewhere share the code of one of these."""


def error_of(code: str, message: str) -> UnisonError:
    """The error of a code; the most general one for a code that a later version brings."""
    return KINDS.get(code, UnisonError)(message)
