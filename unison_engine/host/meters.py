"""How loud it is, told about 20 times a second, and only while somebody wants to know."""

from __future__ import annotations

import asyncio

from unison_engine.audio.deck import Deck
from unison_engine.host.clients import ClientBook
from unison_engine.host.osc import Message

ADDRESS, TOPIC = "/unison/event/meter", "meter"
PERIOD_SECONDS = 0.05
_REST_SECONDS = 0.2  # How long nobody is looked for while there was nobody.


class Meters:
    """Publishes the levels of a deck."""

    def __init__(self, deck: Deck, clients: ClientBook) -> None:
        """Measure `deck` for those of `clients` who asked for the topic or listen to the address."""
        self._deck = deck
        self._clients = clients

    async def run(self) -> None:
        """Go on until it is cancelled."""
        meters = (self._deck.output_meter, self._deck.input_meter)
        while True:
            if not self._clients.wanted(ADDRESS, TOPIC):
                for meter in meters:
                    meter.stop()
                await asyncio.sleep(_REST_SECONDS)
                continue
            for meter in meters:
                meter.start()
            await asyncio.sleep(PERIOD_SECONDS)
            out, in_ = (meter.read() for meter in meters)
            told = (out.peak, out.rms, in_.peak, in_.rms, out.reduction)
            self._clients.publish(Message(ADDRESS, told), TOPIC)
