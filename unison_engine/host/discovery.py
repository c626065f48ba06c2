"""Tells the network where the host is, by mDNS. On loopback nobody else could use it, so nothing is told."""

from __future__ import annotations

import importlib.util
import ipaddress
import logging
import socket
from typing import Any

SERVICE = "_oscjson._tcp.local."

log = logging.getLogger(__name__)


class Announcement:
    """Says that OSCQuery is served at an address, for as long as it is open."""

    def __init__(self, host: str, port: int) -> None:
        """Prepare to announce."""
        self._host = host
        self._port = port
        self._zeroconf: Any = None

    async def open(self) -> None:
        """Announce, if zeroconf is installed."""
        if importlib.util.find_spec("zeroconf") is None:
            log.warning(
                "other machines have to be told the address; to announce it: pip install unison-engine[network]"
            )
            return
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

        info = AsyncServiceInfo(
            SERVICE,
            f"Unison on {socket.gethostname()} {self._port}.{SERVICE}",
            port=self._port,
            parsed_addresses=_addresses(self._host),
        )
        wildcard = ipaddress.ip_address(self._host).is_unspecified
        self._zeroconf = AsyncZeroconf() if wildcard else AsyncZeroconf(interfaces=[self._host])
        await (await self._zeroconf.async_register_service(info))

    async def close(self) -> None:
        """Say that it is gone."""
        if self._zeroconf:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()


def _addresses(host: str) -> list[str]:
    """The addresses to be announced for what is bound to `host`."""
    if not ipaddress.ip_address(host).is_unspecified:
        return [host]
    import ifaddr

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    return [ip for ip in found if not ipaddress.ip_address(ip).is_loopback]
