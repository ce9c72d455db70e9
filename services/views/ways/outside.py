"""Connections to addresses that others have named: public ones only, looked at after each resolution."""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore

PUBLIC6 = IPv6Network("2000::/3")
TUNNELS = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))
"""Teredo and 6to4 carry an IPv4 address that may be anybody's."""


class Forbidden(httpcore.ConnectError):
    """The name leads into a network that is not public."""


def public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (
        address not in PUBLIC6 or any(address in one for one in TUNNELS)
    ):
        return False
    return address.is_global and not address.is_multicast


async def addresses(host: str, port: int, development: bool) -> list[str]:
    """Where a name leads now. Raises Forbidden if it is anywhere but to public addresses, or in
    development this machine; OSError if nowhere.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    named = [ip_address(str(place[0]).partition("%")[0]) for *_, place in found]
    if not named or not all(public(one) or (development and one.is_loopback) for one in named):
        raise Forbidden("not a public address")
    return [str(one) for one in named]


class Outside(httpcore.AsyncNetworkBackend):
    """Connects to the very address that was looked at: what a name says next does not count. TLS still
    asks for the name.
    """

    def __init__(self, development: bool) -> None:
        self._development, self._inner = development, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                found = await addresses(host, port, self._development)
        except TimeoutError:
            raise httpcore.ConnectTimeout("no answer about the name") from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(type(error).__name__) from error
        return await self._inner.connect_tcp(found[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise Forbidden("not a public address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
