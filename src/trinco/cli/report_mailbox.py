"""A folder of mails at an IMAP server, as inputs of `trinco report import`: over TLS alone (RFC 8314).

Nothing is changed there, not even which mails have been read, unless a folder is named to move to: then a mail moves
once it is kept here, durably, by MOVE (RFC 6851), which cannot lose it half way.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from imap_tools import BaseMailBox, ImapToolsError, MailBox

from trinco.cli.report_inputs import Input, Order
from trinco.core.errors import InputError, TooLarge, TrincoError
from trinco.core.tlsrpt.message import MAX_OCTETS

SCHEMES = ("imaps://", "imap://")
"""What is taken for the address of a mailbox: the second one is refused with a reason."""
PORT = 993
SECONDS = 60.0
"""That the server may take for one answer."""
_FOREIGN = (OSError, ImapToolsError, imaplib.IMAP4.error, ValueError, LookupError, TypeError, AttributeError)
"""What the libraries raise, also for answers that make no sense."""
_SIZE = re.compile(rb"RFC822\.SIZE ([0-9]{1,15})")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class MailboxFailed(TrincoError):
    """The server cannot be reached, is not the one it should be, or does not do what was asked."""


@dataclass(frozen=True, slots=True)
class Address:
    """`imaps://user@host[:port]/FOLDER`; a user name with @ in it is written with %40."""

    user: str
    host: str
    port: int
    folder: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises InputError."""
        try:
            uri = urlsplit(text)
            port = uri.port or PORT
        except ValueError as error:
            raise InputError(f"no address of a mailbox: {error}") from error
        user, folder = unquote(uri.username or ""), unquote(uri.path[1:]) or "INBOX"
        if uri.scheme == "imap":
            raise InputError("mailboxes are read over TLS alone: imaps://")
        if uri.password is not None:
            raise InputError("a password does not belong into an address: there is --password-file")
        if uri.scheme != "imaps" or not uri.hostname or not user or _CONTROLS.search(user + folder):
            raise InputError("wants imaps://USER@HOST[:PORT]/FOLDER")
        return cls(user, uri.hostname, port, folder)

    def __str__(self) -> str:
        return f"imaps://{self.host}/{self.folder}"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of an open connection. Its methods raise MailboxFailed."""

    address: Address
    order: Order
    box: BaseMailBox

    def octets(self) -> int | None:
        return None

    def inputs(self) -> Iterator[Input]:
        with _mapped(self.address):
            uids = self.box.uids("UNSEEN" if self.order.unread else "ALL", charset=None)
        for uid in uids:
            with _mapped(self.address):
                data = self._mail(uid)
            if data is not None:
                yield Input(f"{self.address}#{uid}", data, uid)

    def saved(self, marks: Sequence[str]) -> None:
        if self.order.move_to and marks:
            with _mapped(self.address):
                self.box.move(list(marks), self.order.move_to)

    def _mail(self, uid: str) -> bytes | TooLarge | None:
        """The mail, left unread if it was; None: somebody has taken it away in the meantime."""
        size = _SIZE.search(b" ".join(_octets(self.box.client.uid("FETCH", uid, "(RFC822.SIZE)"))))
        if size is None:
            return None
        if int(size[1]) > MAX_OCTETS:
            return TooLarge(f"a mail larger than {MAX_OCTETS} octets")
        parts = [part[1] for part in self.box.client.uid("FETCH", uid, "(BODY.PEEK[])")[1] if isinstance(part, tuple)]
        return bytes(parts[0]) if parts else None


def _octets(answer: tuple[str, Any]) -> Iterator[bytes]:
    for part in answer[1]:
        yield from (part if isinstance(part, tuple) else (part or b"",))


@contextmanager
def opened(address: Address, password: str, order: Order) -> Iterator[Folder]:
    """The folder, for as long as it takes. Raises MailboxFailed, also when mails shall move and cannot."""
    with _mapped(address):
        box = _signed_in(address, password, order)
    try:
        yield Folder(address, order, box)
    finally:
        _leave(box)


def _signed_in(address: Address, password: str, order: Order) -> BaseMailBox:
    if _CONTROLS.search(password):
        raise MailboxFailed("the password holds control characters")
    context = ssl.create_default_context(cafile=order.roots)
    box = MailBox(address.host, address.port, timeout=SECONDS, ssl_context=context)
    try:
        plain = (address.user + password).isascii()
        (box.login if plain else box.login_utf8)(address.user, password, initial_folder=None)
        _prepare(box, address, order)
    except BaseException:
        _leave(box)
        raise
    return box


def _prepare(box: BaseMailBox, address: Address, order: Order) -> None:
    """What a server can do is often told after the sign-in only, and imaplib asks before."""
    answer = b" ".join(_octets(box.client.capability())).decode("ascii", "replace").upper()
    box.client.capabilities = tuple(answer.split())
    if order.move_to and "MOVE" not in box.client.capabilities:
        raise MailboxFailed(f"{address.host} cannot move mails (RFC 6851); leave --move-to out")
    for folder in filter(None, (address.folder, order.move_to)):
        if not box.folder.exists(folder):
            raise MailboxFailed(f"{address.host} has no folder {folder!a}")
    box.folder.set(address.folder, readonly=not order.move_to)


def _leave(box: BaseMailBox) -> None:
    """Say goodbye, or hang up on one who does not hear it any more."""
    try:
        box.logout()
    except _FOREIGN:
        with suppress(OSError):
            box.client.shutdown()


@contextmanager
def _mapped(address: Address) -> Iterator[None]:
    """What the libraries and the system say of the server, in our words."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise MailboxFailed(f"{address.host}: its certificate does not hold: {error.verify_message}") from error
    except _FOREIGN as error:
        raise MailboxFailed(f"{address.host}: {_short(error)}") from error


def _short(error: Exception) -> str:
    """One line, without what might be a command with a password in it."""
    result = getattr(error, "command_result", None)
    said = b" ".join(part for part in result[1] if isinstance(part, bytes)) if result else b""
    return said.decode("ascii", "replace") or getattr(error, "strerror", None) or str(error) or type(error).__name__
