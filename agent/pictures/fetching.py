"""Pictures from other machines: off unless `$G2U_FETCH_HOSTS` names the host, and never from a private address.

A server that opens any address that it is given can be made to look into the network that it stands in. So the host
must be on the list (comma-separated; `*` for every public one), its name must resolve to public addresses only, the
connection goes to one of the very addresses that were checked, and redirects are not followed.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ..errors import AddressError
from .decoding import too_many_bytes

SECONDS: Final = 10.0
"""That one step of a fetch may take."""
MOST_SECONDS: Final = 30.0
"""That the file may take in all."""
MOST_TRIED: Final = 3
"""Addresses of a host that are tried, in the order of the resolver."""
HINT: Final = "Upload the picture with POST /g2u/pictures instead, or let the host be named in $G2U_FETCH_HOSTS."

_GIVEN_OUT: Final = ipaddress.IPv6Network("2000::/3")
"""All that is given out of IPv6 so far."""
_TUNNELS: Final = (ipaddress.IPv6Network("2001::/32"), ipaddress.IPv6Network("2002::/16"))
"""Teredo and 6to4, whose addresses lead to IPv4 addresses inside of them; Python calls some of them global."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet."""
    found = ipaddress.ip_address(address)
    inner = getattr(found, "ipv4_mapped", None) or found
    if isinstance(inner, ipaddress.IPv6Address) and (
        inner not in _GIVEN_OUT or any(inner in tunnel for tunnel in _TUNNELS)
    ):
        return False
    return inner.is_global and not inner.is_multicast


def fetch_picture(url: str, max_bytes: int, *, allowed: Callable[[str], bool] = is_public, hint: str = HINT) -> bytes:
    """Get the file behind an address. It blocks.

    Args:
        url: `http` or `https`.
        max_bytes: Of the file.
        allowed: Says of an IP address whether it may be connected to.
        hint: What to do instead, where the address must not be opened.

    Raises:
        AddressError: The address must not be opened, or there is no picture behind it.
        LargePictureError: The file is larger.
    """
    parts = _checked(url, hint)
    host = parts.hostname or ""
    name = f"The address {parts.scheme}://{host}"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"{name} cannot be found.", "Check the spelling of the host.") from error
    found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    if not found or not all(allowed(address) for address in found):
        raise AddressError(f"{name} is not one of the public internet, and private ones are never opened.", hint)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    try:
        with _connected(parts.scheme, host, port, found[:MOST_TRIED]) as connection:
            connection.request("GET", target, headers={"Accept": "image/*", "User-Agent": "g2u"})
            return _body(connection.getresponse(), name, max_bytes)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AddressError(f"{name} gave no picture ({error}).", "Check that a browser opens it.") from error


def _checked(url: str, hint: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise AddressError(f"That is no address ({error}).", hint) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressError(f"Addresses of the kind {parts.scheme!r} are not opened; only http and https are.", hint)
    if parts.username or parts.password:
        raise AddressError("An address with a user's name in it is not opened.", hint)
    hosts = {host.strip().lower() for host in os.environ.get("G2U_FETCH_HOSTS", "").split(",") if host.strip()}
    if "*" not in hosts and parts.hostname not in hosts:
        raise AddressError(f"Pictures are not fetched from {parts.hostname!r}.", hint)
    return parts


@contextlib.contextmanager
def _connected(scheme: str, host: str, port: int, addresses: list[str]) -> Iterator[http.client.HTTPConnection]:
    """A connection to one of the addresses that were checked, whatever the name resolves to by now."""
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    plain = _reached(addresses, port)
    with contextlib.closing(connection), contextlib.closing(plain):
        secure = scheme == "https"
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
        yield connection


def _reached(addresses: list[str], port: int) -> socket.socket:
    """A connection to the first address that takes one; the error is that of the last."""
    *others, last = addresses
    for address in others:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), timeout=SECONDS)
    return socket.create_connection((last, port), timeout=SECONDS)


def _body(response: http.client.HTTPResponse, name: str, max_bytes: int) -> bytes:
    if response.status != 200:
        raise AddressError(f"{name} answered {response.status} in the place of a picture.", "Check it in a browser.")
    kind = response.headers.get_content_type()
    if not kind.startswith("image/"):
        raise AddressError(f"{name} gave {kind} in the place of a picture.", "Give the address of the picture itself.")
    data, until = bytearray(), time.monotonic() + MOST_SECONDS
    while part := response.read1(2**16):
        data += part
        if len(data) > max_bytes:
            raise too_many_bytes(f"What {name[0].lower()}{name[1:]} gives", max_bytes)
        if time.monotonic() > until:
            raise AddressError(f"{name} took longer than {MOST_SECONDS:g} seconds.", "Download the picture first.")
    return bytes(data)
