"""So many a minute: for what costs something and may be asked for by many."""

from __future__ import annotations

import ipaddress

from django.core.cache import BaseCache, cache, caches
from django.utils import timezone

MINUTE = 60
INVITATIONS, RECIPIENTS = 20, 10
"""In a minute, of one address: what is a mail to somebody. Pages and API are counted together."""
READINGS, WEBHOOKS_SENT = 20, 20
"""As well: reports that are read, and tests and deliveries that are sent once more."""
_IPV6_NETWORK = 64


def allowed(what: str, address: str, most: int) -> bool:
    """Whether this address may do it once more in this minute. An IPv6 address stands for its /64."""
    return _counted(cache, what, _whose(address)) <= most


def counted(what: str, who: str) -> int:
    """How often this process did it in this minute, this time among them; 0: nobody knows."""
    return _counted(caches["here"], what, who)


def _counted(kept: BaseCache, what: str, who: str) -> int:
    key = f"limits:{what}:{_minute()}:{who}"
    kept.add(key, 0, 2 * MINUTE)
    try:
        return int(kept.incr(key))
    except ValueError:  # many others have pushed it out in between
        return 0


def _minute() -> int:
    return int(timezone.now().timestamp()) // MINUTE


def rest() -> int:
    """Seconds until the next minute begins: at least one."""
    return MINUTE - int(timezone.now().timestamp()) % MINUTE


def _whose(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "nobody"
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found), _IPV6_NETWORK), strict=False))
