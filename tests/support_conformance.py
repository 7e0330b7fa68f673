"""schemathesis against the API: requests drawn from its OpenAPI document, and answers held against that."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SEED = 5


def document() -> Any:
    """The operations, as schemathesis has them."""
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", _panel)


def _panel(environ: dict[str, Any], start_response: Any) -> Any:
    """The panel, by the name that the tests give it."""
    return _application()({**environ, "HTTP_HOST": "testserver"}, start_response)


@functools.cache
def _application() -> Any:
    return get_wsgi_application()


@contextmanager
def held() -> Iterator[None]:
    """The connection of the test stays open behind a request, as with Django's own client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def tried(operation: Any, headers: Mapping[str, str], known: Mapping[str, Any], examples: int) -> None:
    """So many requests of each kind: as the document says and as it does not, at addresses of what is there and of what
    is not. What each has done is taken back. Raises what schemathesis found."""
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    strategies = [_cases(operation, mode, known) for mode in modes] + [_cases(operation, mode, {}) for mode in modes]

    @seed(SEED)
    @settings(
        max_examples=examples,
        derandomize=False,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(*[each for each in strategies if not each.is_empty]))
    def ask(case: Any) -> None:
        cache.clear()
        with transaction.atomic():
            case.call_and_validate(headers=dict(headers), checks=CHECKS)
            transaction.set_rollback(True)

    ask()


def _cases(operation: Any, mode: GenerationMode, known: Mapping[str, Any]) -> Any:
    return operation.as_strategy(generation_mode=mode, path_parameters=dict(known) or None)
