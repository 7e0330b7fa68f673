"""`trinco apply` and `trinco export state` as the tests call them, and the file that they stand on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.conf import settings
from tests import support_panel
from typer.testing import CliRunner

from trinco.cli.main import app
from trinco.core.mtasts.policy import Policy
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import services as policies

FILE = """\
version: 1
organisations:
  "Provedor, Lda.":
    second_factor: true
    domains:
      a.example:
        policy: {mode: testing, max_age: 172800, mx: [mx1.a.example, "*.a.example"]}
        tls_reporting: {record: true, https: true}
      b.example: {policy: {mode: none, max_age: 86400}}
      c.example: {policy: {mode: enforce, mx: [mx.c.example]}}
      d.example:
    clients:
      Cliente:
        domains:
          e.example: {policy: {mx: [mx.e.example]}, tls_reporting: {record: false}}
"""
PROVIDER = "Provedor, Lda."
_HEAD = """\
# What Trinco hosts, for whom and how: written by `trinco export state`, taken by `trinco apply`.
version: 1
organisations:
"""
_OWN = """\
  "Provedor, Lda.":
    second_factor: true
    domains:
      a.example:
        policy:
          mode: testing
          max_age: 172800
          mx:
            - mx1.a.example
            - "*.a.example"
        tls_reporting:
          record: true
          https: true
          trust_https: true
        records:
          mta-sts: addresses
          _mta-sts: txt
          _smtp._tls: cname
        tags:
          - "gov"
          - "Região Norte"
      b.example:
        policy:
          mode: none
          max_age: 86400
          mx: []
        tls_reporting:
          record: false
          https: false
          trust_https: false
      c.example:
        policy:
          mode: enforce
          max_age: 604800
          mx:
            - mx.c.example
          force: true
        tls_reporting:
          record: true
          https: false
          trust_https: false
        records:
          mta-sts: cname
          _mta-sts: cname
          _smtp._tls: txt
      d.example:
        tls_reporting:
          record: true
          https: false
          trust_https: false
"""
_OTHER = """\
  "Outra":
    second_factor: false
    domains: {}
"""
_CLIENTS = """\
    clients:
      "Cliente":
        second_factor: true
        domains:
          e.example:
            policy:
              mode: testing
              max_age: 86400
              mx:
                - mx.e.example
            tls_reporting:
              record: true
              https: false
              trust_https: false
            tags:
              - "gov"
      "Vazia":
        second_factor: false
        domains: {}
"""
WHOLE_OWN = _HEAD + _OWN
"""All that a file can say of one organisation, as the export writes it."""
WHOLE = _HEAD + _OTHER + _OWN + _CLIENTS
"""And of its clients, and of others."""
ONE = f'version: 1\norganisations: {{"{PROVIDER}": {{domains: {{a.example: {{policy: {{mx: [mx.a.example]}}}}}}}}}}\n'
RUNNER = CliRunner()


def run(*arguments: object, typed: str = "") -> tuple[int, str, str]:
    """(exit code, standard output, standard error)."""
    result = RUNNER.invoke(app, [*map(str, arguments)], input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def apply(text: str, *options: str) -> tuple[int, str, str]:
    """The file from standard input."""
    return run("apply", "-", *options, typed=text)


def there(url: str, text: str, *options: str) -> tuple[int, str, str]:
    """The file from standard input, at another installation."""
    return run("apply", "-", "--server", url, *options, typed=text)


def with_token(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """`TRINCO_TOKEN` holds this."""
    now = settings.CONFIG
    monkeypatch.setattr(settings, "CONFIG", replace(now, token=token))


def exported() -> str:
    """All that is hosted."""
    code, out, err = run("export", "state")
    assert (code, err) == (0, "")
    return out


def row(name: str) -> HostedDomain:
    """The domain of that name that is not gone."""
    return HostedDomain.objects.everywhere().exclude(state=State.GONE).get(name=name)


def policy(name: str) -> Policy:
    """What it serves."""
    return policies.policy_of(support_panel.standing(row(name)).current)


def lines() -> list[tuple[str, str, str]]:
    """The activity log: actor, action, subject."""
    return list(AuditEntry.objects.everywhere().order_by("pk").values_list("actor", "action", "subject"))


def one(domain: str, said: str, name: str = "A") -> str:
    """A file that says this of one domain."""
    return f'version: 1\norganisations: {{"{name}": {{domains: {{{domain}: {{{said}}}}}}}}}\n'
