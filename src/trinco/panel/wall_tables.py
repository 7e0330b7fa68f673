"""The policies of `wall`: on every table that belongs to an organisation, made from the models themselves.

`raise_up` brings them up to date after each migration, so that no new table is forgotten: until it has, the role has no
right to the table at all. It never takes anything from the owner of the tables, as whom the version of before goes on.
No policy names the role: a backup is restored where there is none, and rights are given anew by the migration after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.db import connection, models, transaction

from trinco.panel.accounts.tenancy import TenantManager
from trinco.panel.databases import NO_LONG_WAIT
from trinco.panel.wall import ROLE, SETTING

POLICY: Final = "trinco_wall"
_KEYS: Final = f"string_to_array(nullif(current_setting('{SETTING}', true), ''), ',')::bigint[]"
_SEEN: Final = f"ANY (ARRAY(SELECT unnest({_KEYS})))"
"""The keys that a request may see. As numbers out of a SELECT of their own: worked out once for a query, where a
provider's hundreds would be read from their text again for each row."""
_MEMBER: Final = "SELECT count(*) FROM pg_roles WHERE rolname = %s AND pg_has_role(oid, 'MEMBER')"

_BOUND: Final = (
    "SELECT count(*) FROM pg_roles r WHERE rolname = %s AND NOT rolsuper AND NOT rolbypassrls AND NOT EXISTS"
    " (SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = ANY (%s)"
    " AND pg_has_role(r.oid, relowner, 'USAGE'))"
)
_CLOSED: Final = (
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    " AND NOT has_table_privilege(%s, oid, 'DELETE') AND relname = ANY (%s) ORDER BY relname"
)


def condition(model: type[models.Model]) -> str | None:
    """SQL that is true for rows of organisations that the request may see; None: the table is nobody's."""
    manager = model._default_manager  # noqa: SLF001 - Django's, and public to its users
    path = manager.tenant_path if isinstance(manager, TenantManager) else ""
    return _along(model, path.split("__"), _name(model)) if path else None


def policies() -> dict[str, str]:
    """The condition of each table that has one."""
    found = {_name(model): condition(model) for model in apps.get_models()}
    return {table: text for table, text in sorted(found.items()) if text is not None}


def raise_up() -> bool:
    """Make the policies as they should be, where the role is there and ours to take on. False: it is not."""
    if not member():
        return False
    with connection.cursor() as cursor:
        for table in lacking():
            with transaction.atomic():
                for statement in _statements(table, policies()[table]):
                    cursor.execute(statement)
        for table in closed():
            cursor.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO {ROLE}')
            for sequence in _sequences(cursor, table):
                cursor.execute(f"GRANT USAGE ON SEQUENCE {sequence} TO {ROLE}")
        cursor.execute("SELECT quote_ident(current_schema())")
        cursor.execute(f"GRANT USAGE ON SCHEMA {cursor.fetchone()[0]} TO {ROLE}")
    return True


def stands() -> bool:
    """Whether requests can be answered within the wall: never with SQLite, which has no such thing."""
    return member() and bound() and not lacking() and not closed()


def member() -> bool:
    """Whether the role is there, and ours to take on."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(_MEMBER, [ROLE])
        return bool(cursor.fetchone()[0])


def bound() -> bool:
    """Whether policies bind the role: they bind no superuser, nobody with BYPASSRLS, and not the tables' owner."""
    with connection.cursor() as cursor:
        cursor.execute(_BOUND, [ROLE, list(policies())])
        return bool(cursor.fetchone()[0])


def lacking() -> list[str]:
    """Tables whose policy is missing, or is another one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, obj_description(p.oid, 'pg_policy') FROM pg_policy p"
            " JOIN pg_class c ON c.oid = p.polrelid WHERE p.polname = %s AND c.relrowsecurity"
            " AND c.relnamespace = current_schema()::regnamespace",
            [POLICY],
        )
        there = dict(cursor.fetchall())
    return [table for table, text in policies().items() if there.get(table) != _mark(text)]


def closed() -> list[str]:
    """Tables that the role has no right to yet."""
    names = sorted(_name(model) for model in apps.get_models(include_auto_created=True))
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED, [ROLE, names])
        return [name for (name,) in cursor.fetchall()]


def _sequences(cursor: Any, table: str) -> list[str]:
    """Those that number its rows."""
    cursor.execute(
        "SELECT pg_get_serial_sequence(%s, attname) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND attidentity <> ''",
        [table, table],
    )
    return [name for (name,) in cursor.fetchall()]


def _name(model: type[models.Model]) -> str:
    return model._meta.db_table  # noqa: SLF001


def _along(model: type[models.Model], steps: list[str], table: str) -> str:
    field: Any = model._meta.get_field(steps[0])  # noqa: SLF001
    column = f'"{table}"."{field.column}"'
    if len(steps) == 1:
        return f"{column} = {_SEEN}"
    there = field.related_model
    name = _name(there)
    further = _along(there, steps[1:], name)
    return f'EXISTS (SELECT 1 FROM "{name}" WHERE "{name}"."id" = {column} AND {further})'  # noqa: S608 - our own names


def _statements(table: str, text: str) -> Iterator[str]:
    yield NO_LONG_WAIT
    yield f'DROP POLICY IF EXISTS {POLICY} ON "{table}"'
    yield f'CREATE POLICY {POLICY} ON "{table}" USING ({text})'
    yield f"""COMMENT ON POLICY {POLICY} ON "{table}" IS '{_mark(text)}'"""
    yield f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY'


def _mark(text: str) -> str:
    """By which a policy is known again: PostgreSQL gives its text back in words of its own."""
    return hashlib.sha256(text.encode()).hexdigest()
