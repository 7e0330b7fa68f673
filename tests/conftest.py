"""What every test stands on: a data directory of its own, made before Django reads its settings."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.cache import caches
from django.utils import translation
from tests import support
from whitenoise.middleware import WhiteNoiseMiddleware

gc.disable()  # on again in `pytest_collection_finish`
for _name in [name for name in os.environ if name.startswith("TRINCO_")]:
    del os.environ[_name]  # a developer's own installation never leaks into the tests
_DATA = Path(tempfile.mkdtemp(prefix="trinco-tests-"))
os.environ["TRINCO_DATA"] = str(_DATA)
os.environ["TRINCO_LOG"] = "warning"
if "TESTS_DATABASE" in os.environ:  # set by tests/support_postgres.py, for tests that run again there
    os.environ["TRINCO_DATABASE"] = os.environ["TESTS_DATABASE"]
os.environ["DJANGO_SETTINGS_MODULE"] = (
    "trinco.panel.settings"  # here and not in pyproject, where it would be read too early
)

settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# A file, since connections of several threads to a shared database in memory fail instead of waiting.
if settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    settings.DATABASES["default"]["TEST"] = {"NAME": str(_DATA / "tests.sqlite3")}
django.setup()  # a conftest below this one may import models
del os.environ["DJANGO_SETTINGS_MODULE"]  # or xdist's workers would read the settings before they come here
logging.getLogger().handlers.clear()  # pytest shows what is logged; the stream of now is closed later

_found: dict[str, Any] = {}
_look_for_files = WhiteNoiseMiddleware.add_files_from_finders


def _look_for_files_once(middleware: WhiteNoiseMiddleware) -> None:
    """Each client of a test is a server that has just started; no test adds a file to those of the pages."""
    if not _found:
        _look_for_files(middleware)
        _found.update(middleware.files)
    middleware.files.update(_found)


WhiteNoiseMiddleware.add_files_from_finders = _look_for_files_once


LONGEST = (
    *("test_postgresql_people.py", "test_postgresql.py", "test_provider.py", "test_pages.py"),
    *("test_postgresql_reports.py", "test_road.py", "test_packaging.py", "test_chaos_short.py"),
)
"""Files of few tests that take long: begun first, so that no worker ends with one of them alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector need not look through half a million things each time."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    shutil.rmtree(_DATA, ignore_errors=True)


@pytest.fixture(scope="session")
def needs() -> Callable[[str], str]:
    """`needs("nsd")`: the path of a Debian program; skips by name without it, fails when CI=true."""
    return support.needs


@pytest.fixture(scope="session")
def data() -> Path:
    """The data directory of the settings under test."""
    return _DATA


def pytest_runtest_setup() -> None:
    """What a test calls today is today until it ends: none begins in the last half minute of a day (UTC)."""
    left = 86_400 - time.time() % 86_400
    if left < 30:
        time.sleep(left)


@pytest.fixture(autouse=True)
def _no_memory_of_other_tests() -> None:
    caches["here"].clear()
    translation.activate("en")  # a request of the test before may have changed the language of this thread


@pytest.fixture
def as_member(client: Any) -> Callable[[Any], Any]:
    """`as_member(user)`: a browser in which this person is signed in."""

    def sign_in(user: Any) -> Any:
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return sign_in
