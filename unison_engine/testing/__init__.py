"""What the tests of a plugin need: a fake model, a host in process, clients, and a clock that stands still.

`unison_engine.testing.fixtures` has the same as fixtures of pytest.
"""

from unison_engine.testing.clients import (
    FIXED,
    PATIENCE,
    Client,
    OscClient,
    TcpClient,
    WebSocketClient,
    installed_commands,
    message,
)
from unison_engine.testing.clock import OfflineClock
from unison_engine.testing.host import LiveHost
from unison_engine.testing.model import IDENTITY, LAYOUT, NoiseSynthesizer, open_fast, open_missing, open_slow
from unison_engine.testing.project import entry_points_of

__all__ = [
    "FIXED",
    "IDENTITY",
    "LAYOUT",
    "PATIENCE",
    "Client",
    "LiveHost",
    "NoiseSynthesizer",
    "OfflineClock",
    "OscClient",
    "TcpClient",
    "WebSocketClient",
    "entry_points_of",
    "installed_commands",
    "message",
    "open_fast",
    "open_missing",
    "open_slow",
]
