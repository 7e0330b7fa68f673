"""Django's settings, as they follow from the environment."""

from __future__ import annotations

import io
import os
import runpy
import stat
from pathlib import Path
from unittest import mock

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection

import trinco.panel.settings
from trinco.config import ConfigError
from trinco.panel.wsgi import application

SECRET, SEAL = "s" * 50, "ab" * 32


def settings(data: Path, **variables: str) -> dict:
    """The settings module, read anew under these TRINCO_ variables alone."""
    given = {f"TRINCO_{name}": value for name, value in variables.items()}
    with mock.patch.dict(os.environ, {"TRINCO_DATA": str(data), **given}, clear=True):
        return runpy.run_path(trinco.panel.settings.__file__)


class TestRefusals:
    """An unknown or bad value refuses to start and says which."""

    def test_an_unknown_variable(self, tmp_path):
        with pytest.raises(ConfigError, match="TRINCO_PANNEL_URL"):
            settings(tmp_path, PANNEL_URL="http://localhost")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DATABASE", "mysql://x"),
            ("PANEL_LISTEN", "8080"),
            ("SIGNUP", "perhaps"),
            ("LOG", "loud"),
            ("PANEL_URL", "panel.example.org"),
            ("MAIL_URL", "smtp://mail.example.org:99999"),
            ("SEAL_KEY", "abc"),
            ("ACME_DIRECTORY", "http://ca.example/dir"),
            ("ACME_CONTACT", "hostmaster"),
            ("ACME_CA_FILE", "/no/such/file.pem"),
            ("ACME_ORDERS", "0"),
            ("ACME_EAB_KEY", "not base 64"),
            ("HTTP_LISTEN", "80"),
            ("FRONT_LISTEN", "8081"),
        ],
    )
    def test_a_bad_value(self, tmp_path, name, value):
        with pytest.raises(ConfigError, match=f"TRINCO_{name}"):
            settings(tmp_path, **{name: value})


class TestSecrets:
    """Secrets are made once, for their owner alone, unless they are given."""

    def test_made_once(self, tmp_path):
        first, second = settings(tmp_path), settings(tmp_path)
        assert (first["SECRET_KEY"], first["SEAL_KEY"]) == (second["SECRET_KEY"], second["SEAL_KEY"])
        assert len(bytes.fromhex(first["SEAL_KEY"])) == 32
        assert first["SEAL_KEY"] != first["SECRET_KEY"]

    def test_for_their_owner_alone(self, tmp_path):
        settings(tmp_path / "new")
        modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "new" / "secrets").iterdir()}
        assert modes == {"secret_key": "0o600", "seal_key": "0o600"}
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700

    def test_what_is_made_later_is_the_owners_too(self, tmp_path):
        """The data directory may have been made by somebody else, open to all: the database and mails are not."""
        before = os.umask(0o022)
        try:
            settings(tmp_path)
            (tmp_path / "trinco.sqlite3").touch()
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "trinco.sqlite3").stat().st_mode) == 0o600

    def test_given_ones_are_not_written_down(self, tmp_path):
        found = settings(tmp_path, SECRET_KEY=SECRET, SEAL_KEY=SEAL)
        assert (found["SECRET_KEY"], found["SEAL_KEY"]) == (SECRET, SEAL)
        assert not (tmp_path / "secrets").exists()

    def test_given_by_a_file(self, tmp_path):
        (tmp_path / "seal").write_text(SEAL + "\n")
        assert settings(tmp_path, SEAL_KEY_FILE=str(tmp_path / "seal"))["SEAL_KEY"] == SEAL


class TestBrowser:
    """Cookies are bound to TLS exactly where people come by TLS; the site has one name."""

    def test_https(self, tmp_path):
        found = settings(tmp_path, PANEL_URL="https://panel.trinco.example")
        assert (found["SESSION_COOKIE_SECURE"], found["CSRF_COOKIE_SECURE"], found["LANGUAGE_COOKIE_SECURE"]) == (
            True,
        ) * 3
        assert found["SESSION_COOKIE_NAME"].startswith("__Host-")
        assert found["ALLOWED_HOSTS"] == ["panel.trinco.example"]
        assert found["CSRF_TRUSTED_ORIGINS"] == ["https://panel.trinco.example"]
        assert (found["SECURE_HSTS_SECONDS"], found["MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN"]) == (31_536_000, False)

    def test_http_on_loopback(self, tmp_path):
        found = settings(tmp_path, PANEL_LISTEN="127.0.0.1:9999")
        assert (found["SESSION_COOKIE_SECURE"], found["SECURE_HSTS_SECONDS"]) == (False, 0)
        assert found["ALLOWED_HOSTS"] == ["127.0.0.1"]
        assert found["CSRF_TRUSTED_ORIGINS"] == ["http://127.0.0.1:9999"]

    def test_the_playground_answers_to_every_name_of_loopback(self, tmp_path):
        found = settings(tmp_path, PLAYGROUND="on", PANEL_URL="http://localhost:8080")
        assert set(found["ALLOWED_HOSTS"]) == {"localhost", "127.0.0.1", "[::1]"}

    def test_never_in_debug(self, tmp_path):
        assert settings(tmp_path)["DEBUG"] is False

    def test_the_policy_of_content_allows_nothing_inline(self, tmp_path):
        policy = settings(tmp_path)["SECURE_CSP"]
        assert policy["default-src"] == ["'none'"]
        assert policy["script-src"] == policy["style-src"] == ["'self'"]
        assert not any("unsafe" in source for sources in policy.values() for source in sources)

    @pytest.mark.parametrize(("flags", "verification"), [({}, "mandatory"), ({"PLAYGROUND": "on"}, "none")])
    def test_addresses_are_verified_unless_it_is_a_game(self, tmp_path, flags, verification):
        assert settings(tmp_path, **flags)["ACCOUNT_EMAIL_VERIFICATION"] == verification


class TestDatabase:
    def test_sqlite_is_durable(self, db):
        with connection.cursor() as cursor:
            found = {}
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
                cursor.execute(f"PRAGMA {pragma}")
                found[pragma] = cursor.fetchone()[0]
        assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 20_000}

    def test_sqlite_lies_in_the_data_directory(self, tmp_path):
        [entry] = settings(tmp_path)["DATABASES"].values()
        assert (entry["NAME"], entry["OPTIONS"]["transaction_mode"]) == (str(tmp_path / "trinco.sqlite3"), "IMMEDIATE")

    def test_postgresql(self, tmp_path):
        url = "postgresql://tri%40nco:p%2Fw@db.example:5433/panel?sslmode=verify-full"
        entry = settings(tmp_path, DATABASE=url)["DATABASES"]["default"]
        assert [entry[key] for key in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")] == [
            "trinco.panel.postgresql",
            "panel",
            "tri@nco",
            "p/w",
            "db.example",
            "5433",
        ]
        assert entry["OPTIONS"]["sslmode"] == "verify-full"
        keepalives = [entry["OPTIONS"][f"keepalives_{key}"] for key in ("idle", "interval", "count")]
        assert (keepalives, entry["OPTIONS"]["tcp_user_timeout"]) == ([10, 5, 3], 30_000)

    def test_postgresql_by_socket(self, tmp_path):
        entry = settings(tmp_path, DATABASE="postgresql:///panel?host=/run/postgresql")["DATABASES"]["default"]
        assert (entry["HOST"], entry["NAME"], "host" in entry["OPTIONS"]) == ("/run/postgresql", "panel", False)

    def test_the_migrations_are_the_models(self, db):
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)


class TestMail:
    """A password is only ever sent over TLS."""

    @pytest.mark.parametrize(
        ("url", "host", "port", "ssl", "starttls"),
        [
            ("smtp://mail.example", "mail.example", 25, False, False),
            ("smtp://u:p@mail.example:587", "mail.example", 587, False, True),
            ("smtps://u:p@mail.example", "mail.example", 465, True, False),
        ],
    )
    def test_by_smtp(self, tmp_path, url, host, port, ssl, starttls):
        found = settings(tmp_path, MAIL_URL=url)
        names = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_USE_SSL", "EMAIL_USE_TLS")
        assert tuple(found[name] for name in names) == (host, port, ssl, starttls)

    def test_into_files(self, tmp_path):
        found = settings(tmp_path)
        assert found["EMAIL_BACKEND"] == "django.core.mail.backends.filebased.EmailBackend"
        assert found["EMAIL_FILE_PATH"] == tmp_path / "mail"


def test_django_finds_nothing_wrong(db):
    assert run_checks() == []


def test_the_panel_is_a_wsgi_application(db):
    answered = []
    body = application(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/healthz",
            "wsgi.input": io.BytesIO(),
            "SERVER_NAME": "x",
            "SERVER_PORT": "80",
        },
        lambda status, headers: answered.append(status),
    )
    assert (answered, b"".join(body)) == (["200 OK"], b'{"status": "live"}')
