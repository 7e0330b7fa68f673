"""Certificates that nobody else takes: senders would refuse them, or no library reads them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from tests.panel.test_certificates_own import HOST, KEY, MIDDLE_PEM, NOW, ROOT_PEM, bundle, leaf, pem

from trinco.panel.certificates.errors import CertificateRefused, Fault
from trinco.panel.certificates.judging import judged


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    path.write_text(ROOT_PEM)
    return path


class TestUnreadable:
    """What cannot be read is told in a sentence, whichever part of it is odd."""

    @pytest.mark.parametrize(
        ("was", "becomes"),
        [
            ("06082a8648ce3d030107", "06082a8648ce3d030166"),  # a curve
            ("06072a8648ce3d0201", "06072a8648ce3d0266"),  # a kind of key
            ("a003020102", "a003020105"),  # a version
        ],
    )
    def test_a_part_that_no_library_knows(self, roots: Path, was: str, becomes: str) -> None:
        der = ssl.PEM_cert_to_DER_cert(leaf()).replace(bytes.fromhex(was), bytes.fromhex(becomes))
        text = bundle(ssl.DER_cert_to_PEM_cert(der), MIDDLE_PEM, pem(KEY))
        with pytest.raises(CertificateRefused) as refused:
            judged(HOST, text, NOW, roots)
        assert refused.value.args[0] == Fault.GARBAGE
