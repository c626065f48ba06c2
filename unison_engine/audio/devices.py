"""All devices: those of PortAudio, and the two that need no hardware."""

from __future__ import annotations

import logging

from unison_engine.audio.device import Device, DeviceInfo, Wish
from unison_engine.audio.null import LOOPBACK, NULL, NullDevice, null_devices
from unison_engine.audio.portaudio import PortAudioDevice, portaudio_devices, restart_portaudio
from unison_engine.errors import DeviceFailed

log = logging.getLogger(__name__)


def list_devices() -> list[DeviceInfo]:
    """All devices; those without hardware are the last.

    Raises:
        DeviceFailed: PortAudio is not installed; the message says how to install it.
    """
    found = portaudio_devices()
    return [*found, *null_devices(not any(device.default for device in found))]


def open_device(name: str | None = None, wish: Wish | None = None) -> Device:
    """Open a device by (part of) its name; a whole name goes before a part of another.

    None stands for the default device; if that does not work, for null, with a warning.

    Raises:
        DeviceFailed: a device was named and is not there or does not open.
    """
    wish = wish or Wish()
    if name in (NULL, LOOPBACK):
        return NullDevice(name, wish)
    try:
        devices = list_devices()
        if name is None:
            matches = [device for device in devices if device.default]
        else:
            matches = [device for device in devices if name.casefold() in device.name.casefold()]
            matches.sort(key=lambda device: (device.name != name, not device.outputs))
        if not matches:
            raise DeviceFailed(f"there is no device {name!r}; there are: {', '.join(d.name for d in devices)}.")
        if matches[0].index < 0:
            raise DeviceFailed("PortAudio finds no output device; connect one, or choose the device null on purpose.")
        return PortAudioDevice(matches[0], wish)
    except DeviceFailed as error:
        if name is not None:
            raise
        log.warning("no sound will be heard: %s", error)
        return NullDevice(NULL, wish)


def rescan() -> None:
    """Look for devices again; no stream may be open.

    Raises:
        DeviceFailed: PortAudio does not start again.
    """
    restart_portaudio()
