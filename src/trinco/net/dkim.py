"""Who vouches for a mail: its DKIM signatures (RFC 6376), as a TLS report needs them (RFC 8460 section 3).

dkimpy makes the canonical header fields and looks whether key, signature and mail fit. Everything around that is here,
since dkimpy looks at the first signature alone, goes by this machine's clock, and takes keys and signatures that the
later standards do not: `dkimmail`, `dkimsig` and `dkimkey` name each rule with its source. Keys are fetched beforehand,
so that nothing but `net.dns` ever asks a question.

At most five signatures are looked at. A mail with more vouches for nothing: the rest would be our work for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import dkim

from trinco.core.errors import DnsFailure, DomainSyntaxError
from trinco.core.names import Domain
from trinco.net import dkimkey, dkimmail, dkimsig
from trinco.net.dkimkey import Key
from trinco.net.dkimmail import Mail, Unusable
from trinco.net.dkimsig import ALGORITHMS, Signature
from trinco.net.dns import Dns

MAX_SIGNATURES = 5

Field = tuple[bytes, bytes]
_FOREIGN = (dkim.DKIMException, ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError)
"""What dkimpy is seen to raise, or might, for mail that somebody made up."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`signers`: domains whose signature holds, all of them the From field's domain or above it; A-labels.

    `reason`: why no signature holds, one clause for each; "" when one does.
    """

    signers: tuple[str, ...] = ()
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether anybody vouches for the mail. Whether that makes a report true, `vouches` says."""
        return bool(self.signers)


def vouches(verdict: Verdict, submitter: str) -> str:
    """The signer that vouches for a report by this submitter, the domain of its contact-info; "" if none does.

    It is the submitter's domain or a parent of it, below a public suffix. In upper case or U-labels it is the same.
    """
    try:
        domain = str(Domain.parse(submitter))
    except DomainSyntaxError:
        return ""
    return max((signer for signer in verdict.signers if dkimsig.covers(signer, domain)), key=len, default="")


def signed(mail: bytes, signer: str, name: str) -> bool:
    """Whether each signature of this signer covers the header field of this name, as an evil one that is added next to
    it cannot change. Says nothing of whether a signature holds."""
    try:
        fields = _signatures(dkimmail.read(mail))
        names = [dkimsig.covered(value) for _, value in fields if dkimsig.signed_by(value) == signer]
    except Unusable:
        return False
    return bool(names) and all(name.lower().encode() in each for each in names)


def all_cover(mail: bytes, name: str) -> bool:
    """Whether no signature of the mail leaves the header field of this name uncovered. True where there is none."""
    try:
        fields = [value for field, value in dkimmail.read(mail).fields if field.lower() == b"dkim-signature"]
        return all(name.lower().encode() in dkimsig.covered(value) for value in fields[: MAX_SIGNATURES + 1])
    except Unusable:
        return False


async def verify(mail: bytes, dns: Dns, now: float) -> Verdict:
    """Look at the signatures of a mail that was received at `now` (Unix seconds; not the moment of asking, since
    signatures expire).

    Raises DnsFailure when no signature holds and the key of one could not be asked for: try later. No mail makes it
    raise anything else, or take longer than its length deserves.
    """
    try:
        read = dkimmail.read(mail)
        author, fields = read.author(), _signatures(read)
    except Unusable as unusable:
        return Verdict(reason=unusable.reason)
    return _summed(await asyncio.gather(*(_look(field, read, author, dns, now) for field in fields)))


def _signatures(mail: Mail) -> list[Field]:
    fields = [field for field in mail.fields if field[0].lower() == b"dkim-signature"]
    if not fields:
        raise Unusable("the mail is not signed")
    if len(fields) > MAX_SIGNATURES:
        raise Unusable(f"the mail has more than {MAX_SIGNATURES} signatures")
    return fields


def _summed(found: Iterable[str | Unusable | DnsFailure]) -> Verdict:
    found = list(found)
    signers = tuple(dict.fromkeys(one for one in found if isinstance(one, str)))
    if signers:
        return Verdict(signers)
    for one in found:
        if isinstance(one, DnsFailure):
            raise one
    return Verdict(reason="; ".join(dict.fromkeys(one.reason for one in found if isinstance(one, Unusable))))


async def _look(field: Field, mail: Mail, author: str, dns: Dns, now: float) -> str | Unusable | DnsFailure:
    """The signer, or why the signature does not count, or that nothing is known of its key."""
    try:
        signature = dkimsig.parse(field[1], mail, now)
        _refuse_stranger(signature, author)
        _refuse_changed(signature, mail)
        answer = await dns.resolve(signature.key_name, "TXT")
        key = dkimkey.parse(answer.values("TXT"))
        _refuse_misfit(signature, key)
        _refuse_forged(signature, key, field, mail)
    except (Unusable, DnsFailure) as error:
        return error
    return signature.signer


def _refuse_stranger(signature: Signature, author: str) -> None:
    if not dkimsig.covers(signature.signer, author):
        raise Unusable(f"{signature.signer} signed for a mail from {author}")


def _refuse_changed(signature: Signature, mail: Mail) -> None:
    if signature.body_hash != mail.body_hash(relaxed=signature.relaxed_body):
        raise Unusable("the body is not what was signed")


def _refuse_misfit(signature: Signature, key: Key) -> None:
    if key.kind != ALGORITHMS[signature.algorithm]:
        raise Unusable("the signature's key is of another kind")
    if key.strict and signature.identity != signature.signer:
        raise Unusable("the signature's key is for its domain alone (t=s)")


def _refuse_forged(signature: Signature, key: Key, field: Field, mail: Mail) -> None:
    """The part that is dkimpy's: section 3.7 from the header fields on. The body was looked at."""
    verifier = dkim.DKIM()
    verifier.headers = list(mail.fields)
    verifier.pk, verifier.ktag = key.public, key.kind
    verifier.keysize = verifier.minkey
    tags = {tag: value for tag, value in signature.tags.items() if tag not in (b"bh", b"l")}
    try:
        fits = verifier.verify_sig_process(tags, list(signature.signed), field, None)
    except _FOREIGN as error:
        raise Unusable("unparsable: the signature") from error
    if not fits or getattr(key.public, "forged", False):
        raise Unusable("the signature does not fit the mail and its key")
