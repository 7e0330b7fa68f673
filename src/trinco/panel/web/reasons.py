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
    gettext_noop("{} is no host name"),
    gettext_noop("{} is no host name: {}"),
    gettext_noop("more mail servers than any domain has"),
)
TAGS = (
    gettext_noop("a tag has no name"),
    gettext_noop("longer than {} characters"),
    gettext_noop("contains a character that cannot be seen (U+{})"),
    gettext_noop("contains {}, which parts the tags of a list"),
    gettext_noop("more than {} tags"),
)


REPORTS = (
    gettext_noop("neither JSON nor gzip, zip or mail"),
    gettext_noop("empty"),
    gettext_noop("larger than {} octets"),
    gettext_noop("larger than {} octets packed"),
    gettext_noop("larger than {} octets unpacked"),
    gettext_noop("more than {} members"),
    gettext_noop("damaged gzip"),
    gettext_noop("gzip that is cut off"),
    gettext_noop("damaged zip"),
    gettext_noop("an empty zip"),
    gettext_noop("a zip that is encrypted, or packed in another way than most"),
    gettext_noop("packed twice: one layer is read"),
    gettext_noop("not UTF-8: this looks like UTF-16 or UTF-32, or is no text"),
    gettext_noop("not UTF-8: octet {} is {}"),
    gettext_noop("XML, as reports of DMARC are; a TLS report is JSON"),
    gettext_noop("no part of this mail is a report"),
    gettext_noop("a mail that cannot be taken apart"),
    gettext_noop("a mail larger than {} octets"),
    gettext_noop("headers larger than {} octets"),
    gettext_noop("a header larger than {} octets"),
    gettext_noop("too many lines and parts"),
    gettext_noop("more than {} parts"),
    gettext_noop("parts in more than {} levels"),
    gettext_noop("not JSON: {} (line {}, column {})"),
    gettext_noop("not JSON: {}"),
    gettext_noop("more than {} values"),
    gettext_noop("more than {} levels of objects and arrays"),
    gettext_noop("the name {} stands twice in one object"),
    gettext_noop("half of a character in a name"),
    gettext_noop("half of a character in {}"),
    gettext_noop("a NUL in {}"),
    gettext_noop("date-range: {} is no date and time of RFC 3339"),
    gettext_noop("the date range ends before it starts"),
    gettext_noop("{}: Object missing required field `{}`"),
    gettext_noop("Object missing required field `{}`"),
    gettext_noop("{}: Expected `{}`, got `{}`"),
    gettext_noop("Expected `{}`, got `{}`"),
)


ARRIVALS = (
    gettext_noop("about no policy at all"),
    gettext_noop("about {}"),
    gettext_noop("nobody vouches for it"),
    gettext_noop("about a day whose reports were removed when they were too old"),
    gettext_noop("signed by {}, not by the domain of its contact ({})"),
    gettext_noop("DNS gave no answer for the key of its signature for a day"),
    gettext_noop("it is about a day to come: {}"),
    gettext_noop("it is about a day before TLS reports: {}"),
    gettext_noop("it is about more than {} days"),
    gettext_noop("{} attempts to read it came to no end"),
    gettext_noop("more than {} policies"),
    gettext_noop("more than {} failure details"),
    gettext_noop("what was kept of it is damaged"),
    gettext_noop("not an e-mail address"),
    gettext_noop("an e-mail address has ASCII letters alone here"),
    gettext_noop("that is the mailbox for reports itself"),
)
WEBHOOKS = (
    gettext_noop("an address has {} printable characters at most"),
    gettext_noop("not an address as in https://example.com/hook"),
    gettext_noop("neither a name with a password nor a # belongs into it"),
    gettext_noop("the port is 443 or 8443"),
    gettext_noop("its host is a name, with a dot, and no number"),
    gettext_noop("nothing that happens is called {}"),
)
SIGNATURES = (
    gettext_noop("the mail is not signed"),
    gettext_noop("the mail has more than {} signatures"),
    gettext_noop("the mail has no From field"),
    gettext_noop("the mail has more than one field {}"),
    gettext_noop("the From field is not one plain address"),
    gettext_noop("the From field's address is in no mail domain"),
    gettext_noop("{} signed for a mail from {}"),
    gettext_noop("the body is not what was signed"),
    gettext_noop("the signature does not fit the mail and its key"),
    gettext_noop("the signature's key is not in DNS"),
    gettext_noop("several keys stand in DNS for the signature"),
    gettext_noop("the signature's key is on trial (t=y)"),
    gettext_noop("the signature's key was withdrawn"),
    gettext_noop("the signature's key is not for TLS reports (s=)"),
    gettext_noop("the signature's key is not for SHA-256 (h=)"),
    gettext_noop("the signature's key is for its domain alone (t=s)"),
    gettext_noop("the signature's key cannot be read"),
    gettext_noop("the signature's key is of an unknown kind"),
    gettext_noop("the signature's key is of another kind"),
    gettext_noop("the signature's key has {} bits"),
    gettext_noop("the signature covers a part of the body alone (l=)"),
    gettext_noop("the signature's algorithm is not taken"),
    gettext_noop("the signature's canonical form is unknown"),
    gettext_noop("the signature is too large"),
    gettext_noop("the signature cannot be read"),
    gettext_noop("the signature is not whole"),
    gettext_noop("the signature's time cannot be read"),
    gettext_noop("the signature's time is to come"),
    gettext_noop("the signature has expired"),
    gettext_noop("the signature is by no mail domain"),
    gettext_noop("the signature's selector is no name"),
    gettext_noop("the signature's identity is outside its domain"),
    gettext_noop("the signature names too many fields"),
    gettext_noop("the signature does not cover the From field"),
    gettext_noop("the signature covers neither TLS-Report-Submitter nor Content-Type"),
)


def reason(error: InputError) -> str:
    """Why the input was refused, translated; a sentence that is not known here stays English."""
    return said(error.reason)


def said(text: str) -> str:
    """A reason that was written down in English, translated as above; several may stand in a row, with semicolons."""
    parts = [_translated(part) for part in text.split("; ")]
    known = [part for part in parts if part is not None]
    if len(known) == len(parts):
        return "; ".join(known)
    whole = _translated(text)
    return text if whole is None else whole


def _translated(text: str) -> str | None:
    for template in (*NAMES, *POLICIES, *TAGS, *REPORTS, *ARRIVALS, *WEBHOOKS, *SIGNATURES):
        if found := _pattern(template).fullmatch(text):
            return gettext(template).format(*found.groups())
    return None


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("(.*)".join(re.escape(part) for part in template.split("{}")), re.DOTALL)
