"""Deeds on TLS reports, for the doors, the worker, the pages and the commands. Each is one transaction.

For the spool: `take`. For the worker: `digest_due`.
"""

from __future__ import annotations

from trinco.panel.reports.arrivals import take
from trinco.panel.reports.digest import digest_due

__all__ = ["digest_due", "take"]
