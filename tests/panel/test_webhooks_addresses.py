"""Threat 32: a webhook dials no address inside, whatever its name answers."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from tests.support_webhooks import HOST, OK, Customer, Names, Server, served

from trinco.net.guard import Guard
from trinco.net.posting import Poster, Took
from trinco.net.reaching import NotTaken, Patience, Target
from trinco.panel.webhooks.errors import UrlRefused
from trinco.panel.webhooks.urls import url_of


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory) -> Customer:
    return Customer.at(tmp_path_factory.mktemp("customer"))


def posted(poster: Poster, target: Target) -> Took:
    return asyncio.run(poster.post(target, {}, b"{}"))


class Changing:
    """A name that answers a public address first and a private one afterwards."""

    def __init__(self) -> None:
        self.guard = Guard()
        self.asked = 0

    async def addresses(self, _host: str) -> tuple[str, ...]:
        self.asked += 1
        return ("192.88.98.1",) if self.asked == 1 else ("127.0.0.1",)


class TestGuarded:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.1.1",
            "172.16.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "198.18.0.9",
        ],
    )
    def test_what_is_not_dialled(self, customer: Customer, address: str) -> None:
        names: Any = Names(Guard(own=("198.18.0.9",)), {HOST: (address,)})
        poster = Poster(names, customer.poster().context)
        with pytest.raises(NotTaken, match="no address that may be dialled at port 443"):
            posted(poster, Target.of(f"https://{HOST}/"))

    @pytest.mark.parametrize("port", [22, 25, 80, 5432, 8080])
    def test_other_ports_are_not_dialled(self, customer: Customer, port: int) -> None:
        names: Any = Names(Guard(), {HOST: ("192.88.98.1",)})
        with pytest.raises(NotTaken, match=f"may be dialled at port {port}"):
            posted(Poster(names, customer.poster().context), Target.of(f"https://{HOST}:{port}/"))

    def test_the_address_that_was_judged_is_the_one_that_is_dialled(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dialled = []

        async def dial(host: str, port: int, **options: object) -> None:
            dialled.append((host, port, options["server_hostname"]))
            raise ConnectionRefusedError(111, "refused")

        monkeypatch.setattr(asyncio, "open_connection", dial)
        names: Any = Changing()
        with pytest.raises(NotTaken, match=r"cannot be reached at 192\.88\.98\.1"):
            posted(Poster(names, customer.poster().context), Target.of(f"https://{HOST}/"))
        assert (dialled, names.asked) == ([("192.88.98.1", 443, HOST)], 1)

    def test_a_name_without_address_and_one_that_is_silent(self, customer: Customer) -> None:
        names: Any = Names(Guard(), {HOST: ()})
        for host, reason in ((HOST, "has no address"), ("silent.example.com", "nobody answered")):
            with pytest.raises(NotTaken, match=reason):
                posted(Poster(names, customer.poster().context), Target.of(f"https://{host}/"))


class TestRequest:
    """Whoever made the address: nothing in it ends a line or begins another request."""

    @pytest.mark.parametrize("bad", ["\r\nHost: x", "\n", "\0", "\x7f", " ", "\t", "é"])
    @pytest.mark.parametrize("where", ["path", "host"])
    def test_of_an_address(self, customer: Customer, where: str, bad: str) -> None:
        parts = {"host": HOST, "port": 443, "path": "/a", where: f"/a{bad}b"}
        with pytest.raises(NotTaken, match="a character that none may have"):
            posted(customer.poster(), Target(**parts))

    @pytest.mark.parametrize("bad", ["\r\nHost: x", "\0", "é"])
    @pytest.mark.parametrize("pair", [("x-{}", "1"), ("x", "1{}")])
    def test_of_a_field(self, customer: Customer, pair: tuple[str, str], bad: str) -> None:
        name, value = (part.format(bad) for part in pair)
        with pytest.raises(NotTaken, match="a character that none may have"):
            asyncio.run(customer.poster().post(Target(HOST, 443, "/"), {name: value}, b"{}"))


class TestTls:
    def test_a_certificate_for_another_name_gets_nothing(self, customer: Customer) -> None:
        with (
            served(Server(), customer.context("other.example.com")) as server,
            pytest.raises(NotTaken, match=r"the certificate of hook\.example\.com is not valid"),
        ):
            posted(customer.poster(), Target.of(f"https://{HOST}:{server.port}/"))
        assert server.requests == []

    def test_an_authority_that_is_not_trusted(self, customer: Customer, tmp_path: Path) -> None:
        with served(Server(), Customer.at(tmp_path).context()) as server, pytest.raises(NotTaken, match="not valid"):
            posted(customer.poster(), Target.of(f"https://{HOST}:{server.port}/"))
        assert server.requests == []

    def test_the_next_address_is_tried(self, customer: Customer) -> None:
        with served(Server(OK), customer.context()) as server:
            poster = customer.poster()
            poster.dns.found[HOST] = ("127.0.0.9", "127.0.0.1")  # type: ignore[attr-defined]
            assert posted(poster, Target.of(f"https://{HOST}:{server.port}/a?b=c")) == Took(204)
        assert server.requests[0].line == "POST /a?b=c HTTP/1.1"

    def test_a_server_that_says_nothing(self, customer: Customer) -> None:
        poster = customer.poster(patience=Patience(1.0, 0.3))
        with (
            served(Server(hold=2.0), customer.context()) as server,
            pytest.raises(NotTaken, match=r"did not answer in 0\.3 s"),
        ):
            posted(poster, Target.of(f"https://{HOST}:{server.port}/"))


class TestUrls:
    @pytest.mark.parametrize(
        ("given", "made"),
        [
            (" https://Hook.Example.com ", "https://hook.example.com/"),
            ("https://hook.example.com.:8443/a b?c=d e", "https://hook.example.com:8443/a%20b?c=d%20e"),
            ("https://hook.example.com/T0/%C3%A9?x=1", "https://hook.example.com/T0/%C3%A9?x=1"),
            ("https://faß.example/", "https://xn--fa-hia.example/"),
            ("https://pr--7.example.com/", "https://pr--7.example.com/"),
            ("https://hook.intern.test/", "https://hook.intern.test/"),
            ("https://caixa.bücher.example/ação", "https://caixa.xn--bcher-kva.example/a%C3%A7%C3%A3o"),
        ],
    )
    def test_in_one_form(self, given: str, made: str) -> None:
        assert url_of(given) == made

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "hook.example.com",
            "http://hook.example.com/",
            "http://127.0.0.1/",
            "ftp://hook.example.com/",
            "file:///etc/passwd",
            "https://",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://ana:pw@hook.example.com/",
            "https://hook.example.com\\@10.0.0.1/",
            "https://hook.example.com/#x",
            "https://hook.example.com:22/",
            "https://hook.example.com:99999/",
            "https://hook.example.com/\r\nHost: x",
            "https://hook_1.example.com/",
            "https://hook\u3002example.com/",
            "https://hook.example.com/" + "x" * 500,
            "https://hook.example.com/" + "é" * 200,
        ],
    )
    def test_what_is_no_address_for_messages(self, given: str) -> None:
        with pytest.raises(UrlRefused):
            url_of(given)

    def test_a_loopback_in_the_playground_alone(self, settings: Any) -> None:
        settings.CONFIG = dataclasses.replace(settings.CONFIG, playground=True)
        assert url_of("http://localhost/x") == "http://127.0.0.1/x"
        with pytest.raises(UrlRefused):
            url_of("http://hook.example.com/")
