"""Uploads that are only read: they stay in memory, and never reach a disk."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest

MOST = 10 * 1024 * 1024
"""Octets of a file."""
_AROUND = 64 * 1024
"""Octets of a form beside its file."""


class UploadTooLarge(Exception):
    """More than is read."""


class InMemory(MemoryFileUploadHandler):
    """Takes each file into memory: what is too large was refused before the first octet of it was read."""

    def handle_raw_input(self, *_args: Any, **_kwargs: Any) -> None:
        self.activated = True


def read_into_memory(request: HttpRequest) -> None:
    """Parse a form with files. Call it before anything else asks for `request.POST`. Raises UploadTooLarge, BadRequest
    for a length that is none."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not (length.isascii() and length.isdecimal() and len(length) < 20):
        raise BadRequest("Content-Length is no number")
    if int(length) > MOST + _AROUND:
        raise UploadTooLarge
    request.upload_handlers = [InMemory(request)]
    try:
        uploads = [each for name in request.FILES for each in request.FILES.getlist(name)]  # parses the whole form
    except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent) as error:
        raise UploadTooLarge from error
    if sum(upload.size or 0 for upload in uploads) > MOST:
        raise UploadTooLarge
