"""schemathesis against every operation: no fault of ours, and no answer that the OpenAPI document does not tell of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from tests import support_conformance, support_web
from tests.support_api_walk import ApiWorld, headers_of, key_of

from trinco.panel.api.v1 import api


@pytest.fixture
def world(db: None) -> Iterator[ApiWorld]:
    with support_conformance.held():
        yield ApiWorld()


def tried(world: ApiWorld, examples: int) -> None:
    headers = headers_of(key_of(support_web.owner_of(world.ours), world.ours))
    for found in support_conformance.document().get_all_operations():
        operation = found.ok()
        support_conformance.tried(operation, headers, world.known(operation.path), examples)


class TestConformance:
    """Issue 5: schemathesis runs against it."""

    def test_a_few_requests_to_each(self, world: ApiWorld) -> None:
        tried(world, 4)

    @pytest.mark.slow
    @pytest.mark.timeout(1800)
    def test_many_requests_to_each(self, world: ApiWorld) -> None:
        tried(world, 200)

    def test_each_name_of_a_schema_is_of_one(self) -> None:
        """The framework puts two of one name in each other's place without a word."""
        found = Counter(model.__name__ for model in _answers() if model is not None)
        assert [name for name, count in found.items() if count > 1] == []


def _answers() -> set[type | None]:
    """What the operations answer: each model once."""
    return {
        model and model.model_fields["response"].annotation
        for _, router in api._routers
        for view in router.path_operations.values()
        for operation in view.operations
        for model in operation.response_models.values()
    }
