"""Where a server listens: HOST:PORT, an IPv6 address in brackets."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

_HOST_PORT = re.compile(
    r"(?:\[(?P<ipv6>[^][\s/@,]*:[^][\s/@,]*)]|(?P<name>[^][\s/@,:]+)):(?P<port>[0-9]{1,5})"
)
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port that a server may listen at.

    Attributes:
        host: a name, or an address without brackets.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address; there is no default for the port.

        Raises:
            ValueError: says what was expected, and what came.
        """
        found = _HOST_PORT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"expected HOST:PORT, got {text[:80]!r}")
        port = int(found["port"])
        if not 1 <= port <= _MAX_PORT:
            raise ValueError(f"expected HOST:PORT with a port of 1 to {_MAX_PORT}, got {text[:80]!r}")
        return cls(found["ipv6"] or found["name"], port)

    def listens(self) -> bool:
        """Whether somebody accepts connections."""
        return self.refusal(timeout_s=1.0) is None

    def refusal(self, timeout_s: float) -> str | None:
        """Why nobody accepts a connection; None when somebody does."""
        try:
            with socket.create_connection((self.host, self.port), timeout_s):
                return None
        # A name that is too long to be one is a ValueError.
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or str(error)


def parse_addresses(text: str) -> tuple[Address, ...]:
    """Read addresses that commas separate; one at least.

    Raises:
        ValueError: for the first that is none.
    """
    return tuple(Address.parse(part) for part in text.split(","))
