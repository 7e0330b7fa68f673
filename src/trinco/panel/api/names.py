"""Words that people choose: names of organisations and tokens."""

from __future__ import annotations

from typing import Annotated

from ninja import Field
from pydantic import AfterValidator


def _fit(text: str) -> str:
    """Raises ValueError."""
    if not text.isprintable():
        raise ValueError("Letters, digits and signs alone.")
    if text.strip() != text:
        raise ValueError("It begins or ends with a space.")
    return text


Name = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_fit)]
Product = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_fit)]
Label = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_fit)]
