"""What the tests of labels stand on: pictures, and a provider with a label and a host of its own."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.test import Client
from django.utils import timezone
from PIL import Image
from tests import support_panel, support_web

from trinco.core.names import Domain
from trinco.panel.accounts import labels, logos
from trinco.panel.accounts.labels import Wanted
from trinco.panel.accounts.models import Label, Organisation, Role, User

HOST = "tls.provedor.example"


def drawn(kind: str = "PNG", size: tuple[int, int] = (120, 40), shade: str = "#884400") -> bytes:
    """A picture in one colour."""
    out = BytesIO()
    Image.new("RGB", size, shade).save(out, kind)
    return out.getvalue()


def labelled(provider: Organisation, product: str = "Correio Seguro", accent: str = "#0b6e4f", **more: object) -> Label:
    """The provider's label."""
    pictures = {"logo": logos.picture(drawn(shade=accent))} if more.pop("logo", False) else {}
    wanted = Wanted(product, accent, pictures=pictures, **more)  # type: ignore[arg-type]
    return labels.change(organisation=provider, wanted=wanted, actor=support_panel.ANA)


def proven(label: Label, host: str = HOST) -> Label:
    """Its host is proven as the worker does it."""
    claim = labels.claim(organisation=label.organisation, name=Domain.parse(host), actor=support_panel.ANA)
    labels.note(claim, [labels.proof(claim)[1]], timezone.now())
    label.refresh_from_db()
    return label


def client_of(provider: Organisation, email: str = "eva@cliente.example") -> tuple[Organisation, User]:
    """A client with one person, who owns it."""
    made = Organisation.objects.create(name="Cliente", parent=provider)
    return made, support_web.person(email, made, Role.OWNER)


def at(host: str, user: User | None = None) -> Client:
    """A browser that asks for this host."""
    client = Client(headers={"host": host})
    if user is not None:
        client.force_login(user, backend=support_web.BACKEND)
        _move(client, host)
    return client


def _move(client: Client, host: str) -> None:
    """Its session is one of this door."""
    session: Any = client.session
    session.update({})
    session.door = host
    session.save()
