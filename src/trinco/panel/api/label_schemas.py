"""What is taken and told of a label."""

from __future__ import annotations

from datetime import datetime

from ninja import Field, Schema

from trinco.core.names import MAX_TYPED
from trinco.panel.api.bodies import Strict
from trinco.panel.api.names import Product


class LabelIn(Strict):
    """`product` stands in place of Trinco's name. `accent`: as `#2f5bd7`, for the light theme; empty: Trinco's own.
    `powered`: whether "Powered by Trinco" stands below."""

    product: Product
    accent: str = Field("", max_length=9)
    powered: bool = True


class HostIn(Strict):
    """The host of the pages."""

    host: str = Field(min_length=1, max_length=MAX_TYPED)


class ProofOut(Schema):
    """The record by which DNS says whose the host is."""

    name: str
    type: str
    value: str


class HostOut(Schema):
    """`state`: `waiting` until the record is found; `proven`; `lapsing` when it is gone, for three days at most;
    `taken` when another provider's record stands there as well. `address`: where the pages answer, once proven."""

    name: str
    record: ProofOut
    state: str
    looked_at: datetime | None
    address: str | None


class LabelOut(Schema):
    """A provider's label. `accent_dark`: what is made of the accent in the dark theme. `logo` and `logo_dark` are the
    SHA-256 of what is shown, by which `/logo/<sha256>.png` gives it out to everybody."""

    product: str
    accent: str
    accent_dark: str
    powered: bool
    logo: str | None
    logo_dark: str | None
    host: HostOut | None
