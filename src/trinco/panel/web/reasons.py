"""Core's reasons in the reader's language. Core speaks English; each of its sentences has its template here."""

from __future__ import annotations

import re
from functools import cache

from django.utils.translation import gettext, gettext_noop

from trinco.core.errors import InputError

NAMES = (
    gettext_noop("not the canonical form of a domain name"),
    gettext_noop("longer than any domain name ({} characters)"),
    gettext_noop("a domain name is missing"),
    gettext_noop("has two dots in a row or begins with a dot"),
    gettext_noop("has a label that IDNA does not allow: {}"),
    gettext_noop("has a label of {} characters; 63 are allowed"),
    gettext_noop("has a label that begins or ends with a hyphen"),
    gettext_noop("has hyphens in the third and fourth place of a label, which IDNA reserves"),
    gettext_noop("mixes writing directions in a way that makes it read differently than it is stored"),
    gettext_noop("has {} octets; {} leave room for `_smtp._tls.` in front"),
    gettext_noop("ends in .{}, which is reserved and never reached by mail from outside"),
    gettext_noop("ends in a number: an address is not a mail domain"),
    gettext_noop("has one label only; a mail domain has at least two, as in example.com"),
    gettext_noop("is a public suffix, under which others register their domains; add a domain below it"),
    gettext_noop("contains a control character (U+{})"),
    gettext_noop("contains an invisible character (U+{})"),
    gettext_noop("contains half of a character (U+{})"),
    gettext_noop("contains a space (U+{})"),
    gettext_noop("contains a line separator (U+{})"),
    gettext_noop("contains a paragraph separator (U+{})"),
    gettext_noop("contains a dot that is not the full stop of names (U+{})"),
    gettext_noop("contains a character that no domain name has ({})"),
    gettext_noop("contains an @: write the part after it alone, without the mailbox"),
    gettext_noop("contains a slash: write the name alone, without http:// or a path"),
    gettext_noop("contains a colon: an address or a port is not part of a mail domain"),
    gettext_noop("contains a bracket: an address literal has no DNS name to publish records at"),
    gettext_noop("contains an underscore: no mail domain has one"),
    gettext_noop("contains an asterisk: each domain is added by its own name"),
)
POLICIES = (
    gettext_noop("no mx line: mode {} needs at least one"),
    gettext_noop("mx {} is not in A-labels (xn--...)"),
    gettext_noop("mx {}: `*` stands only as the whole leftmost label, as in *.example.com"),
    gettext_noop("mx {}: a host name has no underscore"),
    gettext_noop("mx {} is not a host name"),
    gettext_noop("mx {} is an address: MX records name hosts"),
)


def reason(error: InputError) -> str:
    """Why the input was refused, translated; a sentence that is not known here stays English."""
    for template in (*NAMES, *POLICIES):
        if found := _pattern(template).fullmatch(error.reason):
            return gettext(template).format(*found.groups())
    return error.reason


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("(.*)".join(re.escape(part) for part in template.split("{}")), re.DOTALL)
