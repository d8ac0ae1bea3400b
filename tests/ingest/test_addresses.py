from __future__ import annotations

import socket
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.addresses import Address, parse_addresses

NAMES = st.from_regex(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,20}[a-zA-Z0-9_])?", fullmatch=True)
HOSTS = NAMES | st.ip_addresses().map(str)
PORTS = st.integers(1, 65_535)
ADDRESSES = st.builds(Address, HOSTS, PORTS)


@given(ADDRESSES)
def test_an_address_is_read_as_it_is_written(address: Address) -> None:
    assert Address.parse(str(address)) == address
    assert Address.parse(f"  {address}\n") == address


@given(st.ip_addresses(v=6), PORTS)
def test_an_ipv6_address_needs_its_brackets(host: IPv6Address, port: int) -> None:
    assert Address.parse(f"[{host}]:{port}") == Address(str(host), port)
    with pytest.raises(ValueError, match=r"^expected HOST:PORT, got "):
        Address.parse(f"{host}:{port}")


@given(HOSTS)
def test_a_port_has_no_default(host: str) -> None:
    for text in (host, f"{host}:", f"[{host}]", f"[{host}]:"):
        with pytest.raises(ValueError, match=r"^expected HOST:PORT, got "):
            Address.parse(text)


@given(NAMES, st.integers(max_value=0) | st.integers(min_value=65_536))
def test_a_port_is_in_its_range(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"^expected HOST:PORT"):
        Address.parse(f"{host}:{port}")


@given(st.text())
def test_any_text_is_an_address_or_refused_in_one_line(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError as error:
        said = str(error)
        assert said.startswith("expected HOST:PORT"), said
        assert said.isprintable()
    else:
        assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "a:kafka",
        "a:+1",
        "a:1:2",
        "[::1:1",
        "::1]:1",
        "[a]:1",
        "PLAINTEXT://a:1",
        "user@a:1",
        "a b:1",
    ],
)
def test_what_is_no_address_is_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected HOST:PORT, got ") as caught:
        Address.parse(text)
    assert repr(text) in str(caught.value)


def test_a_port_out_of_range_is_told() -> None:
    with pytest.raises(ValueError, match=r"^expected HOST:PORT with a port of 1 to 65535, got 'a:70000'$"):
        Address.parse("a:70000")


@given(st.lists(ADDRESSES, min_size=1))
def test_several_are_separated_by_commas(addresses: list[Address]) -> None:
    assert parse_addresses(", ".join(map(str, addresses))) == tuple(addresses)


@pytest.mark.parametrize("text", ["", "a:1,", "a:1,,b:1"])
def test_none_of_several_is_empty(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected HOST:PORT, got ''$"):
        parse_addresses(text)


def test_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
        assert address.listens()
        assert address.refusal(1) is None
    assert not address.listens()
    assert address.refusal(1) == "Connection refused"


def test_a_name_that_is_too_long_is_refused_too() -> None:
    assert "label too long" in (Address("a" * 70, 1).refusal(1) or "")
