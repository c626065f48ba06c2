"""Keeps a device at the deck: opens the one that is asked for, and has it back when it was unplugged and returns."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from unison_engine.audio.deck import Deck
from unison_engine.audio.device import Device, Wish
from unison_engine.audio.devices import open_device, rescan
from unison_engine.audio.null import NULL, NullDevice
from unison_engine.errors import DeviceFailed

_WATCH_SECONDS = 0.5
_RETURN_SECONDS = 2.0

log = logging.getLogger(__name__)


class DeviceKeeper:
    """Changes the device of a deck; any thread may ask, one is served at a time.

    While the device that is wanted is gone the null device is open, so that whatever plays goes on unheard.

    Attributes:
        wanted: name of the device that was asked for.
    """

    def __init__(
        self,
        deck: Deck,
        reopen: Callable[[str, Wish], Device] = open_device,
        look_again: Callable[[], None] = rescan,
    ) -> None:
        """`reopen` opens a device by name; `look_again` has the system look for devices, while none is open."""
        self.wanted = deck.device.name
        self._deck = deck
        self._wish = Wish()
        self._reopen = reopen
        self._look_again = look_again
        self._changing = threading.Lock()
        self._closed = threading.Event()
        self._watch = threading.Thread(target=self._run, name="unison-device-watch", daemon=True)

    def start(self) -> None:
        """Start the deck, and watch its device.

        Raises:
            DeviceFailed: the device does not start.
        """
        self._deck.start()
        self._watch.start()

    def close(self) -> None:
        """Watch no longer, and close the deck."""
        self._closed.set()
        if self._watch.is_alive():
            self._watch.join()
        with self._changing:
            self._deck.close()

    def open(self, name: str, wish: Wish | None = None) -> None:
        """Change to another device, by (part of) its name.

        Raises:
            DeviceFailed: it does not open; the one before is open again, or null if that is gone too.
        """
        with self._changing:
            self._deck.close()
            try:
                self._deck.change(self._reopen(name, wish or Wish()))
            except DeviceFailed:
                self._fall_back()
                raise
            self.wanted, self._wish = self._deck.device.name, wish or Wish()

    def rescan(self) -> None:
        """Have the system look for devices again; nothing is heard meanwhile.

        Raises:
            DeviceFailed: the device that was open is gone; null is open until it is back.
        """
        with self._changing:
            self._deck.close()
            try:
                self._look_again()
                self._deck.change(self._reopen(self.wanted, self._wish))
            except DeviceFailed:
                self._deck.change(NullDevice(NULL))
                raise

    def check(self) -> bool:
        """Put null in the place of a device that is gone; True if the one that is wanted is open."""
        with self._changing:
            if not self._deck.device.alive:
                log.warning("the device %s is gone; until it is back nothing is heard", self._deck.device.name)
                self._deck.close("lost")
                self._deck.change(NullDevice(NULL))
            return self._deck.device.name == self.wanted

    def look_for_wanted(self) -> None:
        """Open the device that is wanted if it is back."""
        with self._changing:
            try:
                self._look_again()
                device = self._reopen(self.wanted, self._wish)
            except DeviceFailed as error:
                log.debug("%s is not back: %s", self.wanted, error)
                return
            self._deck.close()
            try:
                self._deck.change(device)
            except DeviceFailed as error:
                log.info("%s is back, but does not start: %s", self.wanted, error)
                self._deck.change(NullDevice(NULL))

    def _fall_back(self) -> None:
        try:
            self._deck.change(self._reopen(self.wanted, self._wish))
        except DeviceFailed as error:
            log.warning("until %s is back nothing is heard: %s", self.wanted, error)
            self._deck.change(NullDevice(NULL))

    def _run(self) -> None:
        looked = time.monotonic()
        while not self._closed.wait(_WATCH_SECONDS):
            if self.check():
                looked = time.monotonic()
            elif time.monotonic() - looked > _RETURN_SECONDS:
                self.look_for_wanted()
                looked = time.monotonic()
