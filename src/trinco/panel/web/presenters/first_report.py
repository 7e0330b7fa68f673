"""How a domain gets its first TLS report: from the senders, within a day or two, or at once from oneself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from shlex import quote

from django.conf import settings

from trinco.core.tlsrpt.render import to_json
from trinco.core.tlsrpt.report import PolicyResult, Report
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.reporting import REPORT_PATH
from trinco.panel.domains.services import SERVED


@dataclass(frozen=True, slots=True)
class FirstReport:
    """`command` posts a report of one's own to the HTTPS door; nothing where there is no reports host, or
    the domain is not served yet: the door does not know it."""

    domain: HostedDomain
    command: str

    @property
    def asked_for(self) -> bool:
        """Whether the domain's record asks senders for reports."""
        return self.domain.tlsrpt


def first_report(domain: HostedDomain, now: datetime) -> FirstReport:
    """The lines to type. The report is about yesterday."""
    taken = settings.CONFIG.reports_host and domain.state in SERVED
    return FirstReport(domain, _command(domain, now) if taken else "")


def _command(domain: HostedDomain, now: datetime) -> str:
    door = f"https://{settings.CONFIG.reports_host}{REPORT_PATH}{domain.label}"
    body = to_json(_report(domain.name, now)).decode()
    return f"curl {_road()}--data-binary @- -H 'Content-Type: application/tlsrpt+json' {door} <<'END'\n{body}\nEND"


def _road() -> str:
    """In the playground no resolver knows the host, and no client trusts the authority."""
    if not settings.CONFIG.playground:
        return ""
    host, port = settings.CONFIG.policy_listen[0]
    return (
        f"--cacert {quote(str(settings.DATA / 'ca.pem'))} --connect-to ::{f'[{host}]' if ':' in host else host}:{port} "
    )


def _report(name: str, now: datetime) -> Report:
    start = datetime.combine(now.astimezone(UTC).date() - timedelta(days=1), time(), UTC)
    return Report(
        organization_name="A test of my own",
        contact_info=f"postmaster@{name}",
        report_id=f"test-{start:%Y-%m-%d}",
        start=start,
        end=start + timedelta(days=1),
        policies=(PolicyResult(policy_type="sts", policy_domain=name, successful_session_count=1),),
    )
