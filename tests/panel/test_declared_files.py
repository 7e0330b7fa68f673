"""Files for `trinco apply`: what is read of them, and what hostile ones come to."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.mtasts.policy import Mode
from trinco.panel.declared import yamltree
from trinco.panel.declared.errors import DeclarationSyntaxError
from trinco.panel.declared.reading import MOST_PROBLEMS, read
from trinco.panel.declared.scalars import nameable
from trinco.panel.declared.values import Declaration, DeclaredDomain, DeclaredOrganisation, DeclaredPolicy
from trinco.panel.declared.writing import written

HEAD = "version: 1\norganisations:\n"


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(DeclarationSyntaxError) as caught:
        read(text if isinstance(text, bytes) else text.encode())
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """libyaml's parser, and the one in Python where that is missing."""
    monkeypatch.setattr(yamltree, "_LOADER", getattr(yaml, request.param))
    return str(request.param)


class TestWhatIsRead:
    def test_all_that_a_file_can_say(self, loader: str) -> None:
        text = f"""\
{HEAD}  Provedor:
    second_factor: true
    domains:
      Bücher.Example:
        policy: {{mode: enforce, max_age: 604800, mx: [MX.example.net., "*.example.org"], force: true}}
        tls_reporting: {{record: false, https: true}}
      nu.example:
    clients:
      on:
        second_factor: false
        domains: {{}}
      'null':
"""
        reporting = {"on": False, "https": True}
        policy = DeclaredPolicy(Mode.ENFORCE, ("mx.example.net", "*.example.org"), 604800, force=True)
        domains = (DeclaredDomain("xn--bcher-kva.example", policy, reporting), DeclaredDomain("nu.example"))
        clients = (DeclaredOrganisation("on", second_factor=False, domains=()), DeclaredOrganisation("null"))
        assert read(text.encode()) == Declaration((DeclaredOrganisation("Provedor", True, domains, clients),))

    def test_a_byte_order_mark_and_crlf(self) -> None:
        assert read(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode()) == Declaration()

    @given(
        st.lists(st.text(min_size=1, max_size=120).filter(nameable), unique=True),
        st.booleans(),
        st.integers(0, 31_557_600),
        st.sampled_from(Mode),
    )
    def test_what_is_written_is_read_back(self, names: list[str], said: bool, max_age: int, mode: Mode) -> None:
        reporting = dict.fromkeys(("on", "https", "trust_https"), said)
        policy = DeclaredPolicy(mode, ("mx.example", "*.mx.example"), max_age, force=said and mode is Mode.ENFORCE)
        ways = {"host": "addresses", "sts": "txt", "tlsrpt": "cname"} if said else {}
        one = DeclaredDomain("a.example", policy, reporting, ways=ways)
        domains = (one, DeclaredDomain("b.example", None, reporting))
        clients = tuple(DeclaredOrganisation(name, None if said else said, domains[1:]) for name in names)
        organisations = tuple(DeclaredOrganisation(name, said, domains, clients) for name in names)
        declaration = Declaration((*organisations, *(() if names else [DeclaredOrganisation("x", said, ())])))
        assert read(written(declaration)) == declaration


class TestFaults:
    """Issue: unknown keys with line numbers; each fault is told, and nothing of the file is done."""

    def test_every_one_with_its_line(self, loader: str) -> None:
        text = f"""\
{HEAD}  A:
    clints: {{}}
    second_factor: yes
    domains:
      a.example: {{policy: {{mode: strict, mx: mx.a.example, max_age: -1, force: 'true'}}}}
      localhost:
      A.example:
      b.example: {{policy: {{mx: [a_b.example, [c]]}}, tls_reporting: {{http: true}}}}
      c.example: {{policy: {{mx: []}}}}
      d.example: [1]
    clients:
      B:
        clients:
  A:
  " x":
"""
        ages = "max_age is a number of seconds from 0 to 31557600"
        assert faults(text) == [
            'line 4: "clints" is not known here; did you mean `clients`?',
            "line 5: second_factor: true or false is wanted here",
            "line 7: mode is none, testing or enforce",
            "line 7: mx is a list, one host name or wildcard to an item",
            f"line 7: {ages}",
            "line 7: force: true or false is wanted here",
            'line 8: "localhost": ends in .localhost, which is reserved and never reached by mail from outside',
            'line 9: "A.example" stands in line 7 already',
            "line 10: a_b.example is no host name",
            "line 10: mx: one word is wanted here",
            'line 10: "http" is not known here; did you mean `https`?',
            "line 11: an empty mx list goes with `mode: none` alone",
            "line 12: d.example: names with a colon, and what belongs to each, are wanted here",
            'line 15: "clients" is not known here; known are second_factor, single_sign_on, domains',
            'line 16: "A" stands in line 3 already',
            "line 17: a name is 1 to 120 letters, digits and signs, without blanks at its ends",
        ]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", ["the file is empty"]),
            ("# nothing\n", ["the file is empty"]),
            ("organisations: {}", ["line 1: a file says `version: 1`"]),
            ("version: 2\norganisations: {}", ["line 1: a file says `version: 1`"]),
            ("version: 1\n", ["line 1: a file says which `organisations`"]),
            ("version: 1\norganisations: {}\n---\nversion: 1\n", ["line 3: a second document"]),
            (HEAD + "  ? [a]\n  : b", ["line 3: a key is one word or name"]),
        ],
    )
    def test_what_is_no_declaration(self, loader: str, text: str, told: list[str]) -> None:
        assert faults(text) == told

    def test_after_so_many_it_is_enough(self) -> None:
        text = HEAD + "  A:\n" + "".join(f"    k{number}: 1\n" for number in range(10_000))
        assert len(faults(text)) == MOST_PROBLEMS

    @pytest.mark.parametrize("name", ["a\\u0000b", "a\\nb", "\\u202eb", "x" * 121, "", "\\ud800"])
    def test_names_that_no_page_lets_through(self, loader: str, name: str) -> None:
        assert faults(f'{HEAD}  "{name}": {{}}')

    def test_a_fault_shows_no_control_character(self) -> None:
        (told,) = faults(f'{HEAD}  A: {{"\\e[31m\\u202e": 1}}')
        assert told.isprintable()


class TestHostile:
    """Issue, bad input: YAML with anchors and tags."""

    @pytest.mark.parametrize(
        "text",
        [
            'version: !!python/object/apply:os.system ["false"]\n',
            HEAD + "  A: !!python/name:os.system {}",
            HEAD + "  !!binary QQ==: {}",
            HEAD + "  ! A: {}",
            HEAD + "  A: !<tag:yaml.org,2002:map> {}",
        ],
    )
    def test_a_tag_is_refused_where_it_stands(self, loader: str, text: str) -> None:
        assert [told.partition(": ")[2] for told in faults(text)] == ["tags (!) are not taken"]

    def test_aliases_do_not_multiply(self, loader: str) -> None:
        """A billion laughs: refused at the first anchor, before anything is expanded."""
        laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n"
        laughs += "".join(
            f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        )
        assert faults(laughs)[0].startswith("line 1: anchors and aliases")

    def test_a_merge_key_is_an_unknown_word(self, loader: str) -> None:
        assert faults(HEAD + "  A: {<<: {second_factor: true}}")[0].startswith('line 3: "<<" is not known here')

    def test_deep_nesting(self, loader: str) -> None:
        """Neither the stack nor the time goes with the depth."""
        began = time.process_time()
        assert faults("[" * 100_000)[0].startswith("line 1: ")
        assert faults("{a: " * 20 + "}" * 20) == ["line 1: nested too deeply"]
        assert time.process_time() - began < 5

    @pytest.mark.parametrize("data", [b"\xff\xfev\x00", b"a: \xc3", b"a: \x00", b"a: \x1b", b"a: \xef\xbf\xbf"])
    def test_octets_that_are_no_text(self, loader: str, data: bytes) -> None:
        assert len(faults(data)) == 1

    def test_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(yamltree, "MAX_OCTETS", 100)
        assert faults(b" " * 101) == ["larger than 100 octets"]

    def test_too_many_nodes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(yamltree, "MAX_NODES", 100)
        assert faults("[" + "1," * 50 + "\n" + "1," * 60 + "]") == ["line 2: more than 100 keys and values"]

    @given(st.text(alphabet="{}[]:,-?&*!|>'\"%@` \n\tAa1", max_size=60))
    def test_nothing_crashes(self, text: str) -> None:
        with pytest.raises(DeclarationSyntaxError):
            read(text.encode())

    @given(st.binary(max_size=60))
    def test_no_octets_crash(self, data: bytes) -> None:
        with pytest.raises(DeclarationSyntaxError):
            read(data)
