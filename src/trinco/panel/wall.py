"""The second wall between tenants, on PostgreSQL: which organisations' rows the statements of this thread may touch.

The first wall is `accounts.tenancy`: each query says whose rows it asks for. Where one forgets, PostgreSQL itself lets
no other row through: while a request is answered, each statement runs as the role `trinco_tenant`, which has policies
on every tenant's table (`wall_tables`) and is told the organisations. A request that has told none sees no row.

The worker, the edges and the command line stay the owner of the tables, whom no policy binds, and so does the version
of before during an upgrade. It is a wall against our own forgetfulness: whoever can send statements of their own to
the database can also change the role.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

ROLE: Final = "trinco_tenant"
SETTING: Final = "trinco.organisations"
OWNER: Final = "SET LOCAL ROLE NONE; "
"""Before a statement outside the wall, in a transaction that was within."""
_PLAIN: Final = "SET LOCAL jit = off; "
"""A policy that leads through another table looks dear to the planner, which then compiles for longer than it runs."""

_prefix: ContextVar[str] = ContextVar("trinco_wall", default="")


def prefix() -> str:
    """What comes before each statement, in the same message: both hold until the statement's transaction ends, so that
    nothing stays with a connection that the next one shares. Two results come of it; "": outside the wall."""
    return _prefix.get()


@contextmanager
def within(organisations: Iterable[int]) -> Iterator[None]:
    """Only rows of these organisations, given by their keys; none is none at all."""
    with _set(_told(organisations)):
        yield


def tell(organisations: Iterable[int]) -> None:
    """From now on these, in a request that is within the wall: it has learnt for whom it is."""
    if prefix():
        _prefix.set(_told(organisations))


@contextmanager
def lifted() -> Iterator[None]:
    """Rows of everybody, for a deed that has to know them: who else waits for a name, whose a token is.

    Each use is a place to look at in a review, as `everywhere()` is.
    """
    with _set(OWNER if prefix() else ""):
        yield


@contextmanager
def as_before(text: str) -> Iterator[None]:
    """Under a prefix that was in force: what a request goes on with when it is over."""
    with _set(text):
        yield


def _told(organisations: Iterable[int]) -> str:
    keys = ",".join(str(int(key)) for key in sorted(organisations)) or "0"
    return f"SET LOCAL ROLE {ROLE}; SET LOCAL {SETTING} = '{keys}'; {_PLAIN}"


@contextmanager
def _set(text: str) -> Iterator[None]:
    before = _prefix.set(text)
    try:
        yield
    finally:
        _prefix.reset(before)
