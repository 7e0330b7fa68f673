"""What becomes of a mail that could not be sent: tried again after 1, 10 and 100 minutes, and given up after a day."""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused

MOST_TRIES = 17
"""With these waits, a day."""
AFAR = timedelta(hours=3)
"""No mail waits that long: a clock that was ahead wrote such a moment."""
_WAITS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100))


def wait(tries: int) -> timedelta:
    """The pause after so many attempts (1 or more)."""
    return _WAITS[min(tries, len(_WAITS)) - 1]


def final(error: Exception) -> bool:
    """Whether the mail server says that this address, or this mail, will never be taken (RFC 5321 section 4.2.1: 5yz).

    What it says of ourselves, such as a wrong password, is no word about the address.
    """
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, SMTPDataError) and error.smtp_code >= 500


def told(error: Exception) -> str:
    """The error, for the log."""
    return f"{type(error).__name__}: {error}"
