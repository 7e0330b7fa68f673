"""How a domain stands, in words: what `checks.status` found, as a short line for tables and a sentence with advice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from trinco.panel.checks.status import Status
from trinco.panel.domains.models import Finding, HostedDomain, Level, Starttls, Way
from trinco.panel.policies.ways import waits_for_owner, way_at
from trinco.panel.web.foreign import plain
from trinco.panel.web.meanings import result_meaning
from trinco.panel.web.presenters.certificates import expected_words, moment
from trinco.panel.web.presenters.publishing import again
from trinco.panel.web.presenters.writing import kept_words
from trinco.panel.web.templatetags.trinco import ago, in_days

LOOKS = {
    Level.CRITICAL: ("bad", "bad"),
    Level.ATTENTION: ("warn", "warn"),
    Level.READY: ("info", "ready"),
    Level.SETUP: ("mute", "mute"),
    Level.OK: ("ok", "ok"),
    Level.LEAVING: ("mute", "leaving"),
}
"""Colour and icon of each level."""

OTHER_LOOKS = {"record-wrong": ("warn", "warn"), "mx-unconfirmed": ("warn", "warn"), "none": ("mute", "none")}
"""Where one problem of a level wants more, or less, than its level says."""


@dataclass(frozen=True, slots=True)
class Saying:
    """A problem in words."""

    short: str
    sentence: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class StatusView:
    """A status as the pages show it."""

    problem: str
    look: str
    icon: str
    short: str
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True)
class Action:
    """The one thing to do about it."""

    href: str
    word: str


def status_view(domain: HostedDomain, status: Status) -> StatusView:
    """The words for it. Reads `mx_hosts` of the domain, which were read with its facts."""
    look, icon = OTHER_LOOKS.get(status.problem) or LOOKS[status.level]
    said = SAYINGS[status.problem](domain, status)
    return StatusView(status.problem, look, icon, said.short, said.sentence, said.advice)


def action_for(domain: HostedDomain, status: StatusView) -> Action | None:
    """Where to go for it; None where nothing is to be done, or not here."""
    if status.problem in ("record-lost", "caa-forbids", "publish-waits", "publish-refused"):
        return Action(reverse("setup", args=[domain.name]), _("Show the records"))
    if status.problem == "mx-uncovered":
        return Action(reverse("mail_servers", args=[domain.name]), _("Change the list…"))
    if status.problem == "reports-failing":
        return Action(f"{reverse('reports')}?domain={domain.name}", _("Show the failures"))
    if status.problem == "ready":
        return Action(reverse("policy", args=[domain.name]) + "?mode=enforce", _("Enforce…"))
    return None


def _certificate_missing(domain: HostedDomain, _status: Status) -> Saying:
    return Saying(
        _("No certificate for the policy host"),
        _("There is no certificate for %s yet") % domain.policy_host,
        _("It takes longer than it should. Without it no sender can fetch the policy; we go on trying."),
    )


def _certificate_pending(_domain: HostedDomain, status: Status) -> Saying:
    if status.until is None:
        return _plain(_("Obtaining the certificate"), _("This takes seconds as a rule."))
    return Saying(
        _("Certificate expected about %s") % moment(status.until),
        expected_words(status.until, status.before),
        _("The certificate authority limits how many are ordered at a time. Nothing is to be done."),
    )


def _certificate_expired(domain: HostedDomain, _status: Status) -> Saying:
    return Saying(
        _("Certificate of the policy host expired"),
        _("The certificate of %s has expired") % domain.policy_host,
        _("No sender can fetch the policy now. We go on trying to renew it; a CAA record is the usual cause."),
    )


def _certificate_renewal(domain: HostedDomain, status: Status) -> Saying:
    left = in_days(max(0, (status.until - timezone.now()).days)) if status.until else ""
    return Saying(
        _("Certificate expires in %s") % left,
        _("The certificate of %(host)s could not be renewed: %(left)s left")
        % {"host": domain.policy_host, "left": left},
        _("We go on trying; a CAA record is the usual cause."),
    )


def _policy_unserved(domain: HostedDomain, _status: Status) -> Saying:
    return Saying(
        _("An edge does not serve the policy"),
        _("An edge could not fetch the policy of %s from itself") % domain.policy_host,
        _("DNS announces nothing new until every edge serves it. Look into the log of the edges."),
    )


def _record_lost(domain: HostedDomain, status: Status) -> Saying:
    word = _("gone") if status.finding == Finding.MISSING else str(Finding(status.finding).label)
    own = way_at(domain, status.record) != Way.CNAME
    return Saying(
        _("DNS record %(record)s: %(word)s") % {"record": status.record, "word": word},
        (_("The record %s is not as it should be") if own else _("The record %s no longer points here"))
        % f"{status.record}.{domain.name}",
        again(domain, status.record, status.finding),
    )


def _caa_forbids(domain: HostedDomain, status: Status) -> Saying:
    return Saying(
        _("CAA forbids the certificate"),
        _("A CAA record forbids the next certificate of %s") % domain.policy_host,
        _("The one in use still works. Let our certificate authority issue for this name: %s") % status.seen,
    )


def _dns_silent(_domain: HostedDomain, _status: Status) -> Saying:
    return Saying(
        _("DNS does not answer"),
        _("The name servers of this domain do not answer"),
        _("While that lasts, mail to it is at risk as well. We go on asking."),
    )


def _mx_uncovered(domain: HostedDomain, status: Status) -> Saying:
    count = len(status.hosts)
    if status.level == Level.CRITICAL:
        advice = _("Senders that honour MTA-STS do not deliver there. Add it to the policy if it is yours.")
    else:
        advice = _("Enforce would cut it off. Add it to the policy if it is yours.")
    names = {"n": count, "host": _short(domain, status), "hosts": ", ".join(status.hosts)}
    return Saying(
        _alone_or_many(
            count,
            _("%(host)s is not in the policy"),
            ngettext("%(n)d mail server is not in the policy", "%(n)d mail servers are not in the policy", count),
        )
        % names,
        ngettext("%(hosts)s is in DNS, but not in the policy", "%(hosts)s are in DNS, but not in the policy", count)
        % names,
        advice,
    )


def _mx_tls(domain: HostedDomain, status: Status) -> Saying:
    results = {sighting.host: sighting.starttls for sighting in domain.mx_hosts.all()}
    plain = [host for host in status.hosts if results.get(host) == Starttls.NOT_OFFERED]
    names = {"n": len(status.hosts), "host": _short(domain, status), "hosts": ", ".join(status.hosts)}
    if len(status.hosts) > 1:
        short, sentence = _("%(n)d mail servers fail STARTTLS"), _("%(hosts)s fail STARTTLS")
    elif plain:
        short, sentence = _("%(host)s offers no STARTTLS"), _("%(hosts)s offers no STARTTLS")
    else:
        short, sentence = _("%(host)s: certificate not valid"), _("The certificate of %(hosts)s is not valid")
    critical = status.level == Level.CRITICAL
    lost = _("Mail is held back there now.") if critical else _("It would lose mail under “enforce”.")
    repair = (
        _("Switch STARTTLS on, or take the server out of the MX records.")
        if plain
        else _("It needs a certificate of a public authority with the MX name in it.")
    )
    return Saying(short % names, sentence % names, f"{lost} {repair}")


def _alone_or_many(count: int, alone: str, many: str) -> str:
    """One is named, several are counted: two sentences, since languages differ in what a plural is."""
    return alone if count == 1 else many


def _mx_unreachable(domain: HostedDomain, status: Status) -> Saying:
    names = {"n": len(status.hosts), "host": _short(domain, status), "hosts": ", ".join(status.hosts)}
    text = _alone_or_many(
        len(status.hosts),
        _("%(host)s does not answer"),
        ngettext("%(n)d mail server does not answer", "%(n)d mail servers do not answer", len(status.hosts)),
    )
    sentence = ngettext("%(hosts)s does not answer", "%(hosts)s do not answer", len(status.hosts))
    return Saying(text % names, sentence % names, _("Nobody can be reached at port 25 from here."))


def _mx_certificate(_domain: HostedDomain, status: Status) -> Saying:
    left = in_days(max(0, (status.until - timezone.now()).days)) if status.until else ""
    return Saying(
        _("MX certificate expires in %s") % left,
        _("The certificate of %(hosts)s expires in %(left)s") % {"hosts": ", ".join(status.hosts), "left": left},
        _("Renew it on the mail server, and see that the server loads it."),
    )


def _reports_failing(domain: HostedDomain, status: Status) -> Saying:
    """The mail server and the result that were reported most. Both are a stranger's words."""
    word, host = plain(status.seen), plain(_short(domain, status))
    if not word:
        return Saying(
            _("Senders report failures"),
            _("Senders report failed sessions, and give no details"),
            _who(status) + _("Ask their postmasters, or compare the mail servers with the policy."),
        )
    known = result_meaning(status.seen)
    facts = {"host": host, "hosts": plain(", ".join(status.hosts)), "result": word}
    sentence = (
        _("Senders report failed sessions at %(hosts)s: %(result)s")
        if host
        else _("Senders report failed sessions: %(result)s")
    )
    short = f"{host}: {word}" if host else word
    return Saying(short, sentence % facts, f"{_who(status)}{known.meaning} {known.action}".strip())


def _who(status: Status) -> str:
    """Who met the failures, where others did not."""
    if not status.senders:
        return ""
    senders = plain(", ".join(status.senders))
    return _("Reported by %s, while others met no such trouble on the same days.") % senders + " "


def _announcement_waits(_domain: HostedDomain, _status: Status) -> Saying:
    return Saying(
        _("Not announced yet"),
        _("The new policy is not announced yet"),
        _("Some edge has not taken it. Senders go on with the policy of before, which is safe."),
    )


def _publish_waits(domain: HostedDomain, status: Status) -> Saying:
    facts = {"name": f"_mta-sts.{domain.name}", "ago": ago(status.until)}
    return Saying(
        _("Waiting for you to publish the TXT (%(ago)s)") % facts,
        _("The TXT record at %(name)s waits for you to publish it (%(ago)s)") % facts,
        _("Senders learn of the policy by its id alone. It is to say: %s") % status.seen,
    )


def _publish_refused(domain: HostedDomain, status: Status) -> Saying:
    facts = {"name": f"_mta-sts.{domain.name}", "ago": ago(status.until)}
    return Saying(
        _("The TXT could not be written at the DNS provider (%(ago)s)") % facts,
        _("The TXT record at %(name)s could not be written at the DNS provider (%(ago)s)") % facts,
        kept_words(status.finding, status.seen) + " " + _("We go on trying; you can change it by hand as well."),
    )


def _ready(_domain: HostedDomain, _status: Status) -> Saying:
    text = pgettext("one domain", "Ready to enforce")
    return Saying(text, text, _("Every check has passed. In testing, a sender that is deceived still delivers."))


def _leaving(domain: HostedDomain, _status: Status) -> Saying:
    advice = _("Senders are told to forget the policy. Leave the three records in place until it has ended.")
    if waits_for_owner(domain) and domain.sts_way == Way.TXT:
        advice = _("Publish the TXT record with the new id: senders learn by it that they may forget the policy.")
    return Saying(_("Leaving"), _("This domain is leaving"), advice)


def _record_wrong(_domain: HostedDomain, status: Status) -> Saying:
    word = str(Finding(status.finding).label)
    return Saying(f"{status.record}: {word}", f"{status.record}: {word}")


def _plain(short: str, advice: str = "") -> Saying:
    return Saying(short, short, advice)


def _short(domain: HostedDomain, status: Status) -> str:
    """`mx1` for the first host, when it lies within the domain."""
    return status.hosts[0].removesuffix(f".{domain.name}") if status.hosts else ""


SAYINGS: dict[str, Callable[[HostedDomain, Status], Saying]] = {
    "certificate-missing": _certificate_missing,
    "certificate-expired": _certificate_expired,
    "certificate-renewal": _certificate_renewal,
    "policy-unserved": _policy_unserved,
    "record-lost": _record_lost,
    "caa-forbids": _caa_forbids,
    "dns-silent": _dns_silent,
    "mx-uncovered": _mx_uncovered,
    "mx-tls": _mx_tls,
    "mx-unreachable": _mx_unreachable,
    "mx-certificate": _mx_certificate,
    "announcement-waits": _announcement_waits,
    "publish-waits": _publish_waits,
    "publish-refused": _publish_refused,
    "publish-writing": lambda _d, _s: _plain(
        _("Being written at the DNS provider"), _("It counts as announced once the name servers say it.")
    ),
    "reports-failing": _reports_failing,
    "ready": _ready,
    "record-wrong": _record_wrong,
    "records-missing": lambda _d, _s: _plain(_("Waiting for DNS")),
    "mx-unconfirmed": lambda _d, _s: _plain(_("Confirm the mail servers")),
    "going-live": lambda _d, _s: _plain(_("Going live")),
    "certificate-pending": _certificate_pending,
    "announcing": lambda _d, _s: _plain(
        _("Going live"), _("The file goes to every edge first, then DNS announces it.")
    ),
    "enforce": lambda _d, _s: Saying(
        _("Healthy"),
        _("All is well: the policy is enforced"),
        _("Senders that honour MTA-STS deliver to your mail servers over verified connections alone."),
    ),
    "testing": lambda _d, _s: Saying(
        _("In testing"),
        _("In testing"),
        _("Mail is delivered even when verification fails. The policy card says what enforce still wants."),
    ),
    "none": lambda _d, _s: Saying(
        _("Policy off"),
        _("The policy is off"),
        _("Mail flows as without MTA-STS: choose testing or enforce to change that."),
    ),
    "leaving": _leaving,
    "gone": lambda _d, _s: _plain(_("No longer served")),
}
"""The words of every problem that `checks.status` knows."""
