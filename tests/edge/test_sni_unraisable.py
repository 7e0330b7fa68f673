"""No name that a stranger sends is handed to Python by OpenSSL: it was read before, and nobody is called back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.edge.policy_rig import UNRECOGNIZED_NAME, Rig, body_of, hosted, publication
from tests.edge.test_sni import message, records, server_name, versions
from tests.support_tls import Authority

from trinco.edge import tls
from trinco.edge.limits import Limits
from trinco.edge.sni import Table

NAME = "um.example"
HOST = f"mta-sts.{NAME}".encode()
HOSTILE = (
    b"mta-sts.um.exampl\xe9",
    b"\xed\xa0\x80.um.example",
    b"xn--\xff\xff",
    b"mta-sts.um.example\x00.evil.example",
    b"\x00" * 255,
    b"." * 255,
    b"a" * 16_000,
    b"%s%n{0}\r\n\x1b[2J",
)
OFFER = versions(0x0304)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What would be printed and forgotten."""
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    yield seen
    assert seen == []


def test_there_is_no_callback(authority: Authority) -> None:
    """RELIABILITY section 4: an exception in it would reach nobody but `sys.unraisablehook`."""
    leaf, key = authority.leaf(HOST.decode())
    contexts = [tls.OpenSslBuilder().build((leaf,), key).context, tls.server((leaf,), key)]
    assert [context.sni_callback for context in contexts] == [None, None]


@pytest.mark.parametrize("protocol", [True, False], ids=["tls13", "tls12"])
def test_hostile_names_raise_nowhere(authority: Authority, unraisable: list[Any], protocol: bool) -> None:
    table = Table(publication(hosted(authority, NAME), issuers=authority.issuers))
    offer = [OFFER] if protocol else []
    with Rig(table, authority, Limits(hello=20_000, log_lines=1e9)).running() as rig:
        answers = {rig.say(records(message(server_name(name), *offer), *[16_000] * 2)) for name in HOSTILE}
        assert answers == {UNRECOGNIZED_NAME}
        assert rig.faults == []
        assert rig.fetch(NAME).endswith(body_of(NAME))


def test_a_second_name_behind_a_good_one_is_the_engines_to_refuse(authority: Authority, unraisable: list[Any]) -> None:
    """Two extensions of one kind (RFC 8446 section 4.2), the first a name that is served: an alert, and that is all."""
    table = Table(publication(hosted(authority, NAME), issuers=authority.issuers))
    with Rig(table, authority, Limits(log_lines=1e9)).running() as rig:
        for second in (b"\xff\xfe", b"mta-sts.dois.example"):
            answer = rig.say(records(message(server_name(HOST), server_name(second), OFFER)))
            assert answer[:1] == b"\x15"
        assert rig.faults == []
        assert rig.fetch(NAME).endswith(body_of(NAME))
