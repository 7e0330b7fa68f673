"""Why a deed on a policy is refused. Each carries what a page needs to say it in the reader's language."""

from __future__ import annotations

from trinco.core.errors import TrincoError
from trinco.core.mailhosts import Width


class PolicyRefused(TrincoError):
    """The root of these: one `except` for whoever shows them all alike."""


class UncoveredMx(PolicyRefused):
    """`enforce` would cut off mail: these MX hosts of the domain match no pattern of the policy. May be overridden."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        super().__init__(", ".join(hosts))
        self.hosts = hosts


class MxUnknown(PolicyRefused):
    """`enforce` wants MX hosts that were read in the last hour, and there are none. May be overridden."""


class WildcardTooWide(PolicyRefused):
    """A pattern that the domain never had stands for hosts of other owners, by whom senders must not be led."""

    def __init__(self, pattern: str, width: Width) -> None:
        super().__init__(f"{pattern} ({width})")
        self.pattern = pattern
        self.width = width


class NothingChanged(PolicyRefused):
    """The policy is the one that is served already."""


class NothingToUndo(PolicyRefused):
    """There is no version before the current one."""


class NoMxYet(PolicyRefused):
    """The mode wants an `mx` list, and the domain never had one."""


class AlreadyStarted(PolicyRefused):
    """The domain has a first policy already."""


class NotStarted(PolicyRefused):
    """The domain has no first policy yet."""


class NotHosted(PolicyRefused):
    """The domain's state does not allow it: leaving, gone, or (for leaving) not served yet. `state` is its State."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class NoSuchWay(PolicyRefused):
    """This record cannot be published in this way. `record` is a name of `ways.CHOICES`."""

    def __init__(self, record: str, way: str) -> None:
        super().__init__(f"{record}: {way}")
        self.record = record
        self.way = way


class NoAccess(PolicyRefused):
    """No credentials of the domain's DNS provider are kept."""


class Conflict(PolicyRefused):
    """Somebody else published in between: the current version is `number`, not the one that the person looked at."""

    def __init__(self, number: int) -> None:
        super().__init__(str(number))
        self.number = number


class ImportRefused(TrincoError):
    """A list of domains that is not taken in."""


class NothingToImport(ImportRefused):
    """No line of it says anything."""


class TooManyLines(ImportRefused):
    """More lines than one import has."""


class UnknownColumn(ImportRefused):
    """Its first line names a column that says nothing here."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ImportUnderWay(ImportRefused):
    """The organisation has another one that runs."""
