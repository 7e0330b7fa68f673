"""Codes of the second step: at sign-in, and the first one, by which an authenticator is set up."""

from __future__ import annotations

from allauth.account.adapter import get_adapter as account_adapter
from allauth.core import context, ratelimit
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import TOTP

from trinco.panel.accounts import devices


class SecondStepForm(AuthenticateForm):  # type: ignore[misc]
    """In a browser that the person has used before attempts are counted for that browser: who knows the password and
    guesses codes elsewhere does not keep them out."""

    def clean_code(self) -> str:
        device = devices.known(context.request, self.user.email)
        if not device:
            return str(super().clean_code())
        key = f"second-step:{self.user.pk}:{device}"
        if not ratelimit.consume(context.request, action="login_failed", key=key):
            raise account_adapter().validation_error("too_many_login_attempts")
        found = self._found(self.cleaned_data["code"])
        if found is None:
            raise get_adapter().validation_error("incorrect_code")
        ratelimit.clear(context.request, action="login_failed", key=key)
        self.authenticator = found
        return str(self.cleaned_data["code"])

    def _found(self, code: str) -> Authenticator | None:
        factors = Authenticator.objects.filter(user=self.user).exclude(type=Authenticator.Type.WEBAUTHN)
        return next((each for each in factors if each.wrap().validate_code(code)), None)


class FirstCodeForm(ActivateTOTPForm):  # type: ignore[misc]
    """A code is good for once (RFC 6238 section 5.2), the one by which an authenticator is set up as well: whoever has
    looked on does not sign in with it."""

    def clean_code(self) -> str:
        code = str(super().clean_code())
        authenticator = Authenticator(user=self.user, type=Authenticator.Type.TOTP)
        if not TOTP(authenticator)._mark_code_used(code):  # noqa: SLF001 - what sign-in marks it with
            raise get_adapter().validation_error("incorrect_code")
        return code
