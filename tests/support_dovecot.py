"""An IMAP server of our own: Dovecot as it comes, without privileges, over TLS on a free port of loopback."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import needs
from tests.support_certs import Authority

from trinco.cli import ports

USER, PASSWORD = "ana@mail.example", "uma palavra"
ROOTS = "Test Root.pem"
_CONFIGURATION = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
listen = 127.0.0.1
protocols = imap
ssl = required
ssl_cert = <{certificate}
ssl_key = <{certificate}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{directory}/mail
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {directory}/people
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={directory}/home
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
  }}
}}
"""


@dataclass(frozen=True)
class Dovecot:
    """A running server. `roots`: the authority of its certificate, which is for `localhost`."""

    directory: Path
    port: int
    user: str | None
    """Whose it is where the tests run as root, which Dovecot's services do not."""

    @property
    def roots(self) -> Path:
        return self.directory / ROOTS

    def url(self, folder: str) -> str:
        return f"imaps://{USER.replace('@', '%40')}@localhost:{self.port}/{folder}"

    def make(self, folder: str) -> None:
        """An empty folder."""
        for part in ("", "cur", "new", "tmp"):
            place = self._place(folder) / part
            place.mkdir()
            self._give(place)

    def put(self, folder: str, name: str, mail: bytes, *, seen: bool = False) -> None:
        """Deliver a mail, as a mail server would; `seen`: somebody has read it since."""
        draft = self.directory / name
        draft.write_bytes(mail)
        self._give(draft)
        draft.replace(self._place(folder) / ("cur" if seen else "new") / (f"{name}:2,S" if seen else name))

    def mails(self, folder: str) -> dict[str, bool]:
        """Whether each mail of a folder is marked as read, by the name under which it was delivered."""
        files = [each for part in ("cur", "new") for each in (self._place(folder) / part).iterdir()]
        parts = [each.name.partition(":2,") for each in files]
        return {name: "S" in flags for name, _, flags in sorted(parts)}

    def _place(self, folder: str) -> Path:
        return self.directory / "mail" / f".{folder}"

    def _give(self, path: Path) -> None:
        if self.user is not None:
            shutil.chown(path, self.user)


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """A server with an empty mailbox. Skips by name where Dovecot is not installed."""
    binary = needs("dovecot")
    directory = Path(tempfile.mkdtemp(prefix="trinco-imap-"))
    try:
        made = Dovecot(directory, _free(), _unprivileged(directory))
        group = pwd.getpwnam(made.user).pw_gid if made.user else None
        command = [binary, "-F", "-c", str(_configured(made))]
        process = subprocess.Popen(command, user=made.user, group=group, extra_groups=[] if group else None)
        try:
            _wait(made, process)
            yield made
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _unprivileged(directory: Path) -> str | None:
    if os.geteuid() != 0:
        return None
    shutil.chown(directory, "nobody")
    return "nobody"


def _configured(made: Dovecot) -> Path:
    account = pwd.getpwnam(made.user) if made.user else pwd.getpwuid(os.geteuid())
    certificate = Authority(made.directory).leaf("localhost")
    target = made.directory / "dovecot.conf"
    (made.directory / "mail").mkdir()
    (made.directory / "people").write_text(f"{USER}:{PASSWORD}\n")
    names = {"user": account.pw_name, "group": grp.getgrgid(account.pw_gid).gr_name}
    target.write_text(_CONFIGURATION.format(directory=made.directory, certificate=certificate, port=made.port, **names))
    for each in made.directory.iterdir():
        made._give(each)
    return target


def _free() -> int:
    return ports.free([(ports.LOOPBACK, 0, ports.TCP)])


def _wait(made: Dovecot, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", made.port), 60).close()
        except OSError:
            log = made.directory / "log"
            assert process.poll() is None, log.read_text() if log.exists() else ""
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
