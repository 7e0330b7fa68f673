"""Reports made to hurt, and a process that reads each in a child of its own with little time and memory.

python -m tests.core.tlsrpt.bombs       one line of JSON for each: its name, what came of it, CPU seconds
"""

from __future__ import annotations

import gzip
import json
import os
import resource
from collections.abc import Callable

from tests.core.tlsrpt.made import document, mail, octets, packed, part, zipped

from trinco.core.errors import TrincoError
from trinco.core.tlsrpt.parse import reports

CPU_SECONDS, ADDRESS_SPACE = 10, 512 * 1024 * 1024
"""Far above what is needed, far below what the same inputs cost a reader without bounds (42 s, many GiB)."""

BODY = octets(document())


def zeros(size: int) -> bytes:
    return b"{" + b" " * size


def empty_members(count: int) -> bytes:
    return gzip.compress(b"", mtime=0) * count


def headers(line: bytes, count: int) -> bytes:
    return b"Content-Type: multipart/mixed;\r\n" + line * count + b"\r\n\r\n{}"


BOMBS = {
    "gzip bomb": (lambda: packed(zeros(40 * 2**20)), "TooLarge"),
    "gzip members": (lambda: empty_members(200_000), "TooLarge"),
    "gzip bomb in a mail, many times": (lambda: mail(*[part(packed(zeros(9 * 2**20))[:-3])] * 90), "TooLarge"),
    "zip bomb": (lambda: zipped(zeros(40 * 2**20)), "TooLarge"),
    "zip of many": (lambda: zipped(*[b"x"] * 500), "TooLarge"),
    "zip of overlapping members": (lambda: zipped(*[zeros(10 * 2**20)] * 3), "TooLarge"),
    "depth": (lambda: b'{"x":' + b"[" * 5_000_000, "TooLarge"),
    "depth of objects": (lambda: b'{"x":' * 2_000_000, "TooLarge"),
    "empty arrays": (lambda: b'{"x":[' + b"[]," * 6_000_000 + b"0]}", "TooLarge"),
    "numbers": (lambda: b'{"x":[' + b"1.5," * 4_000_000 + b"0]}", "TooLarge"),
    "names": (lambda: b'{"x":{' + b",".join(b'"%x":0' % n for n in range(200_000)) + b"}}", "ReportSyntaxError"),
    "one number": (lambda: BODY.replace(b":300", b":" + b"9" * 8_000_000), "ReportSyntaxError"),
    "one string": (lambda: BODY.replace(b"Sender Inc.", b"\\\\" * 9_000_000), "ReportSyntaxError"),
    "quotes": (lambda: b"{" + b'""' * 9_000_000, "TooLarge"),
    "nested mail": (lambda: b"Content-Type: message/rfc822\n\n" * 100_000, "TooLarge"),
    "nested parts": (lambda: b"Content-Type: multipart/mixed; boundary=a\n\n--a\n" * 200_000, "TooLarge"),
    "nested parts, 58 KB": (lambda: b"Content-Type: multipart/mixed; boundary=a\n\n--a\n" * 1250, "TooLarge"),
    "a mail of empty lines": (lambda: b"A: b\n" + b"\n" * 15_000_000, "TooLarge"),
    "a header of semicolons": (lambda: headers(b" ;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;\r\n", 2400), "TooLarge"),
    "a quoted header of semicolons": (lambda: headers(b" " + b'"' + b";" * 30_000, 1), "TooLarge"),
    "a From of 3 KB": (lambda: b"From: " + b"(" * 3000 + b"\r\n" + mail(part(BODY)), "1 read"),
    "a From of 90 KB": (lambda: b"From: " + b"<@" * 45_000 + b"\r\n" + mail(part(BODY)), "1 read"),
    "a subject of encoded words": (lambda: b"Subject:" + b" =?x?b?Report?=\r\n" * 5000 + mail(part(BODY)), "1 read"),
    "a subject that nearly is one": (lambda: b"Subject: " + b"Report Domain: " * 6000 + b"\r\n" + mail(part(BODY)), "1 read"),
}  # fmt: skip


def outcome(data: bytes) -> str:
    try:
        return f"{len(reports(data))} read"
    except TrincoError as error:
        return type(error).__name__


def in_a_child(make: Callable[[], bytes]) -> tuple[str, float]:
    """What came of it, and the CPU seconds; `killed` when a limit was met."""
    data = make()
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        os.write(theirs, outcome(data).encode())
        os._exit(0)
    os.close(theirs)
    said = os.read(ours, 1000).decode() or "killed"
    os.close(ours)
    _, _, usage = os.wait4(child, 0)
    return said, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    for name, (make, _) in BOMBS.items():
        print(json.dumps([name, *in_a_child(make)]), flush=True)
