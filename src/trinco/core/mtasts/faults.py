"""Each finding that lint can have about a policy file: its key, its severity, its English text."""

from __future__ import annotations

from trinco.core.remarks import Kind


def _fatal(template: str) -> Kind:
    return Kind("error", template, fatal=True)


KINDS: dict[str, Kind] = {
    "not-bytes": _fatal("a policy file is a sequence of octets"),
    "too-large": _fatal("larger than 64 KiB: senders stop reading there"),
    "not-utf8": _fatal("an octet that is not UTF-8"),
    "not-a-field": _fatal("not a field of the form `name: value`: {0}"),
    "blank-line": _fatal("a blank line between fields: senders that follow the grammar reject the file"),
    "blank-end": Kind("warning", "blank lines at the end: tolerated here, not part of the grammar"),
    "version": _fatal("version is {0}; only STSv1 exists"),
    "version-later": Kind("warning", "version is not the first line: allowed, but some senders look for it there"),
    "mode": _fatal("mode is {0}; it is one of enforce, testing, none (in lower case)"),
    "max-age": _fatal("max_age is {0}; it is a whole number of seconds in 1 to 10 of the digits 0-9"),
    "max-age-capped": Kind("error", "max_age is {0}; {1} is the most, and senders use that or reject the file"),
    "max-age-zero": Kind("warning", "max_age is 0: no sender keeps the policy, so it protects nothing"),
    "max-age-short": Kind("warning", "max_age is {0} seconds, less than a day: weeks are what protects"),
    "missing": _fatal("the field {0} is missing"),
    "duplicate": Kind("warning", "{0} stands here again: the first one counts"),
    "misspelt": Kind("warning", "{0} is a field that senders do not know and pass over: is {1} meant?"),
    "mx-missing": _fatal("no mx line: mode {0} needs at least one"),
    "mx-twice": Kind("warning", "the pattern {0} stands here again"),
    "mx-unicode": _fatal("mx {0} is not in A-labels (xn--...)"),
    "mx-wildcard": _fatal("mx {0}: `*` stands only as the whole leftmost label, as in *.example.com"),
    "mx-underscore": _fatal("mx {0}: a host name has no underscore"),
    "mx-syntax": _fatal("mx {0} is not a host name"),
    "mx-address": _fatal("mx {0} is an address: MX records name hosts"),
    "mx-single-label": Kind("error", "mx {0} has one label only: no MX is named so"),
    "mx-top-level": Kind("error", "mx {0} lets any host of a whole top-level domain receive the mail"),
}
