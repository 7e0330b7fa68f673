"""The authority over HTTP, as RFC 8555 has it: directory, nonces, signatures that are verified, problem documents."""

from __future__ import annotations

import json
import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from acme import jws
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from josepy import jwk
from josepy.json_util import decode_b64jose, encode_b64jose
from tests.fake_ca.authority import Authority, Order, Problem

Answer = tuple[int, dict[str, str], bytes]
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


@dataclass
class Server:
    """A running server. `script`: by path, what is answered next in place of the truth; `bad_nonces`: how many good
    nonces are refused from now on; `pages`: whether it lists an account's orders."""

    authority: Authority
    url: str = ""
    script: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    bad_nonces: int = 0
    nonces: set[str] = field(default_factory=set)
    keys: dict[str, jwk.JWK] = field(default_factory=dict)
    said: list[tuple[str, dict[str, Any] | None]] = field(default_factory=list)
    """Path and payload of every request that was signed well."""
    agents: set[str] = field(default_factory=set)

    @property
    def directory(self) -> str:
        return f"{self.url}/dir"

    def nonce(self) -> str:
        nonce = secrets.token_urlsafe(16)
        self.nonces.add(nonce)
        return nonce

    def plain(self, path: str) -> Answer:
        """What is answered to a GET or a HEAD."""
        if path == "/nonce":
            return 204, {}, b""
        self.authority.heard()
        if path.startswith("/ari/"):
            start, end = self.authority.window(path.removeprefix("/ari/"))
            window = {"start": start.isoformat(), "end": end.isoformat()}
            again = str(int(self.authority.habits.ask_again.total_seconds()))
            return _json(200, {"suggestedWindow": window}, {"Retry-After": again})
        if path != "/dir":
            raise Problem(404, "malformed", "not here")
        habits = self.authority.habits
        meta = {
            "termsOfService": habits.terms,
            "externalAccountRequired": habits.binding_required,
            "profiles": {name: "" for name in habits.lives if name},
        }
        names = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order", "revokeCert": "revoke"}
        names |= {"renewalInfo": "ari"} if habits.renewal_info else {}
        return _json(200, {**{name: f"{self.url}/{path}" for name, path in names.items()}, "meta": meta})

    def posted(self, path: str, body: bytes) -> Answer:
        """What is answered to a POST: the signature, the nonce and the URL are looked at first."""
        self.authority.heard()
        signed = jws.JWS.from_json(json.loads(body))
        header = signed.signature.combined
        if encode_b64jose(header.nonce) not in self.nonces or self.bad_nonces:
            self.bad_nonces = max(self.bad_nonces - 1, 0)
            raise Problem(400, "badNonce", "a bad nonce")
        self.nonces.discard(encode_b64jose(header.nonce))
        key = header.jwk if header.kid is None else self.keys[header.kid]
        if header.url != self.url + path or not signed.verify(key):
            raise Problem(400, "malformed", "signature")
        payload = json.loads(signed.payload) if signed.payload else None
        self.said.append((path, payload))
        kind, _, rest = path.removeprefix("/").partition("/")
        if kind == "account" and not rest:
            return self._register(key, payload or {})
        if header.kid is None:
            raise Problem(400, "malformed", "no account")
        account = header.kid.rpartition("/")[2]
        deed = getattr(self, f"_{kind}", None)
        if deed is None:
            raise Problem(404, "malformed", "not here")
        answer: Answer = deed(account, rest, payload)
        return answer

    def _register(self, key: jwk.JWK, payload: dict[str, Any]) -> Answer:
        thumbprint = encode_b64jose(key.thumbprint())
        agreed, bound = bool(payload.get("termsOfServiceAgreed")), "externalAccountBinding" in payload
        account, new = self.authority.register(thumbprint, agreed=agreed, bound=bound)
        url = f"{self.url}/account/{account}"
        self.keys[url] = key
        return _json(201 if new else 200, {"status": "valid"}, {"Location": url})

    def _account(self, account: str, _rest: str, _payload: Any) -> Answer:
        listed = {} if self.authority.habits.reuses else {"orders": f"{self.url}/orders/{account}/0"}
        return _json(200, {"status": "valid", **listed})

    def _orders(self, account: str, rest: str, _payload: Any) -> Answer:
        """Two to a page."""
        page = int(rest.partition("/")[2])
        mine = [order for order in self.authority.orders if order.account == account]
        part = mine[2 * page : 2 * page + 2]
        more = {"Link": f'<{self.url}/orders/{account}/{page + 1}>;rel="next"'} if len(mine) > 2 * page + 2 else {}
        return _json(200, {"orders": [f"{self.url}/look/{order.number}" for order in part]}, more)

    def _order(self, account: str, _rest: str, payload: dict[str, Any]) -> Answer:
        names = [each["value"] for each in payload["identifiers"]]
        order = self.authority.order(account, names, payload.get("replaces", ""), payload.get("profile", ""))
        return self._told(201, order)

    def _look(self, _account: str, rest: str, _payload: Any) -> Answer:
        return self._told(200, self.authority.look(self._of(rest)))

    def _authz(self, _account: str, rest: str, _payload: Any) -> Answer:
        number, _, host = rest.partition("/")
        order = self._of(number)
        open_ = order.status == "pending" and host not in order.told
        problem = order.problems.get(host)
        status = "invalid" if problem else "pending" if open_ else "valid"
        error = {"error": _document("unauthorized", problem)} if problem else {}
        challenges = [
            {"type": "dns-01", "url": f"{self.url}/other/{rest}", "token": TOKEN, "status": "pending"},
            {"type": "http-01", "url": f"{self.url}/chall/{rest}", "token": TOKEN, "status": status, **error},
        ]
        identifier = {"type": "dns", "value": host}
        return _json(200, {"identifier": identifier, "status": status, "challenges": challenges})

    def _chall(self, account: str, rest: str, payload: dict[str, Any]) -> Answer:
        assert payload == {}
        number, _, host = rest.partition("/")
        thumbprint = next(print_ for print_, name in self.authority.accounts.items() if name == account)
        self.authority.tell(self._of(number), host, TOKEN, thumbprint)
        return _json(200, {"type": "http-01", "url": f"{self.url}/chall/{rest}", "token": TOKEN})

    def _finalize(self, _account: str, rest: str, payload: dict[str, str]) -> Answer:
        return self._told(200, self.authority.finalize(self._of(rest), decode_b64jose(payload["csr"])))

    def _cert(self, _account: str, rest: str, _payload: Any) -> Answer:
        chain = [x509.load_der_x509_certificate(der) for der in self.authority.chain(int(rest))]
        pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)
        return 200, {"Content-Type": "application/pem-certificate-chain"}, pem

    def _of(self, number: str) -> Order:
        if int(number) >= len(self.authority.orders):
            raise Problem(404, "malformed", "no such order")
        return self.authority.orders[int(number)]

    def _told(self, status: int, order: Order) -> Answer:
        fields: dict[str, Any] = {
            "status": order.status,
            "identifiers": [{"type": "dns", "value": name} for name in order.names],
            "authorizations": [f"{self.url}/authz/{order.number}/{name}" for name in order.names],
            "finalize": f"{self.url}/finalize/{order.number}",
        }
        if order.certificate is not None:
            fields["certificate"] = f"{self.url}/cert/{order.certificate}"
        if order.problems:
            fields["error"] = _document("unauthorized", "; ".join(order.problems.values()))
        return _json(status, fields, {"Location": f"{self.url}/look/{order.number}"})


def _json(status: int, fields: Any, headers: dict[str, str] | None = None) -> Answer:
    return status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(fields).encode()


def _document(kind: str, detail: str) -> dict[str, str]:
    return {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}


class _Handler(BaseHTTPRequestHandler):
    server_ours: Server
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    disable_nagle_algorithm = True
    timeout = 10

    def do_GET(self) -> None:
        self._answer(lambda server: server.plain(self.path))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(lambda server: server.posted(self.path, body))

    def _answer(self, answer: Any) -> None:
        server = self.server_ours
        server.agents.add(self.headers["User-Agent"])
        try:
            scripted = server.script[self.path]
            status, headers, body = scripted.pop(0) if scripted else answer(server)
        except Problem as problem:
            again = {"Retry-After": str(int(problem.retry_after.total_seconds()))} if problem.retry_after else {}
            status, headers, body = _json(problem.status, _document(problem.kind, problem.detail), again)
            headers["Content-Type"] = "application/problem+json"
        self.send_response_only(status)
        self.send_header("Date", format_datetime(server.authority.clock(), usegmt=True))
        self.send_header("Replay-Nonce", server.nonce())
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


@contextmanager
def serving(authority: Authority) -> Iterator[Server]:
    """The authority at a port of its own on loopback."""
    server = Server(authority)
    handler = type("Handler", (_Handler,), {"server_ours": server})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        listener.daemon_threads = True
        server.url = f"http://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join(60)
