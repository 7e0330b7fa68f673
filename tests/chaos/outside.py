"""The town as it looks from outside at one moment: what is announced, what is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.chaos.plan import EDGES
from tests.chaos.town import ADDRESSES, NAMES, Town
from tests.edge.installation import Edge


def states(town: Town) -> dict[str, Any]:
    """By name: the current id, what is announced, what is served."""
    return {
        name: [town.do("current", name)[0], announced(town, town.labels[name]), served(town, name)] for name in NAMES
    }


def agreed(town: Town) -> bool:
    """Whether every name server announces the current policies, and every edge serves them."""
    for current, ids, bodies in states(town).values():
        if set(ids.values()) != {current} or len(set(bodies.values())) > 1 or None in bodies.values():
            return False
    return True


def disagreement(town: Town) -> str:
    """Who is not where the others are, and what the edges say of themselves."""
    return json.dumps({"states": states(town), "edges": town.do("edges")}, default=repr)


def announced(town: Town, label: str) -> dict[str, str | None]:
    """By name server, the id of this label; None: nobody answers, or not yet."""
    return {name: _id(town, name, label) for name in ADDRESSES}


def served(town: Town, name: str) -> dict[str, bytes | None]:
    """By edge, the policy of this name."""
    context = town.trusting()
    return {edge: _edge(town, edge).body(name, context) for edge in EDGES}


def _id(town: Town, name: str, label: str) -> str | None:
    try:
        return _edge(town, name).policy_id(label)
    except AssertionError:  # a secondary that has no zone yet
        return None


def _edge(town: Town, name: str) -> Edge:
    return Edge(name, ADDRESSES[name], town.policy_port, town.dns_port, {}, Path())
