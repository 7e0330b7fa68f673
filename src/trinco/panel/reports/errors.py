"""Why a deed on reports is refused."""

from __future__ import annotations

from trinco.core.errors import InputError, TrincoError


class ReportsError(TrincoError):
    """A deed on TLS reports, their retention or their recipients is refused."""


class NotParked(ReportsError):
    """The arrival was read, or waits to be read: there is nothing to try again."""


class RetentionOutOfRange(InputError):
    """A number of days for which nothing can be kept."""


class AddressRefused(InputError):
    """Not an address that copies of reports can be sent to."""


class AlreadyRecipient(ReportsError):
    """The address gets copies already."""


class TooManyRecipients(ReportsError):
    """The domain has as many recipients of copies as it can have."""


class ConfirmationRefused(ReportsError):
    """The link is not ours, is too old, or its recipient was removed."""
