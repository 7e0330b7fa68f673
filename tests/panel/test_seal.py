"""Sealed values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.panel.seal import Seal, SealError

KEY = bytes(range(32))
SEAL = Seal(KEY)
NAME = "mta-sts.correio.example"
SEALED = SEAL.seal(b"a private key", NAME)


class TestSeal:
    """Keys are encrypted at rest: readable with the installation's key and under their own name, or not at all."""

    @given(plain=st.binary(max_size=300), name=st.text(max_size=80).filter(lambda name: name.isprintable()))
    def test_round_trip(self, plain, name):
        assert SEAL.open(SEAL.seal(plain, name), name) == plain

    def test_an_instance_is_an_unsealer(self):
        assert SEAL(SEALED, NAME) == b"a private key"

    def test_it_does_not_show_what_it_holds(self):
        assert b"private" not in SEALED
        assert SEAL.seal(b"a private key", NAME) != SEALED

    @pytest.mark.parametrize("at", range(len(SEALED)))
    def test_any_changed_octet_is_noticed(self, at):
        broken = bytearray(SEALED)
        broken[at] ^= 0x01
        with pytest.raises(SealError):
            SEAL.open(bytes(broken), NAME)

    @pytest.mark.parametrize("length", range(len(SEALED)))
    def test_a_torn_value_is_noticed(self, length):
        with pytest.raises(SealError):
            SEAL.open(SEALED[:length], NAME)

    def test_another_name_does_not_open_it(self):
        with pytest.raises(SealError):
            SEAL.open(SEALED, "mta-sts.outro.example")

    def test_another_key_does_not_open_it(self):
        with pytest.raises(SealError):
            Seal(bytes(32)).open(SEALED, NAME)

    @given(junk=st.binary(max_size=100))
    def test_junk_raises_nothing_else(self, junk):
        with pytest.raises(SealError):
            SEAL.open(junk, NAME)


class TestKey:
    @pytest.mark.parametrize("text", ["", "00", "g" * 64, "0" * 63, "0" * 65, " " + "0" * 63, "０" * 64])
    def test_a_bad_key_is_refused(self, text):
        with pytest.raises(SealError):
            Seal.of(text)

    def test_hexadecimal_in_either_case(self):
        assert Seal.of(KEY.hex().upper()).open(SEALED, NAME) == b"a private key"

    @pytest.mark.parametrize("length", [0, 16, 31, 33])
    def test_a_key_of_another_length_is_refused(self, length):
        with pytest.raises(SealError):
            Seal(bytes(length))
