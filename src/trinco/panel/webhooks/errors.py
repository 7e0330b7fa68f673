"""Why a deed on webhooks is refused."""

from __future__ import annotations

from trinco.core.errors import InputError, TrincoError


class WebhooksError(TrincoError):
    """A deed on webhooks is refused."""


class TooManyWebhooks(WebhooksError):
    """The organisation has as many webhooks as one may have."""


class DeliveryWaits(WebhooksError):
    """The delivery waits for its next attempt already."""


class WebhookOff(WebhooksError):
    """The webhook is switched off: nothing is sent to it."""


class UrlRefused(InputError):
    """Not an address that messages can be sent to."""


class KindUnknown(InputError):
    """Not a word for something that happens."""
