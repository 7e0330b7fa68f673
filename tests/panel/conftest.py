"""Two organisations and a domain, for the panel's tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.db import connection
from tests import support_messages, support_oidc, support_panel, support_wall
from tests.support_certs import Authority
from tests.support_oidc import HOST, OpenIdProvider
from tests.support_webhooks import served

from trinco.panel import limits
from trinco.panel.accounts import provider
from trinco.panel.accounts.models import Identity, Organisation, User
from trinco.panel.accounts.services import create_account
from trinco.panel.domains.models import HostedDomain

support_messages.compile_if_stale()  # before Django reads it


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """On PostgreSQL every page is asked for within the wall."""
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            support_wall.built()


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute in which so much is allowed does not end within the test, however busy the machine is."""
    now = limits._minute()
    monkeypatch.setattr(limits, "_minute", lambda: now)


@pytest.fixture
def one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thirty seconds of a one-time code do not end within the test, however busy the machine is."""
    now = int(time.time()) // 30
    monkeypatch.setattr(totp, "yield_hotp_counters_from_time", lambda: iter((now,)))


@pytest.fixture
def ours(db: None) -> Organisation:
    """The organisation of ana@example.com."""
    return support_panel.organisation("ana@example.com")


@pytest.fixture
def theirs(db: None) -> Organisation:
    """The organisation of a stranger."""
    return support_panel.organisation("rui@example.net")


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    """`correio.example` of `ours`: LIVE, testing, announced by one edge."""
    return support_panel.announced(ours)


@pytest.fixture(scope="session")
def openid_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who has issued the certificate of `there`."""
    return Authority(tmp_path_factory.mktemp("openid"))


@pytest.fixture
def there(openid_authority: Authority, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenIdProvider]:
    """The OpenID provider that the settings name."""
    with served(OpenIdProvider(), openid_authority.server(HOST)) as made:  # type: ignore[type-var]
        monkeypatch.setattr(provider, "asker", lambda: made.asker(openid_authority.pem))
        support_oidc.configure(settings, made)
        yield made


@pytest.fixture
def ana(there: OpenIdProvider) -> User:
    """Somebody without a password, whom the OpenID provider knows."""
    user = create_account(email="ana@example.com", password=None)
    Identity.objects.create(user=user, issuer=there.issuer, subject="u-1")
    return user
