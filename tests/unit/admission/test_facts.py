from typing import Any

import msgspec

from gateway.admission.decision import NeededFacts
from gateway.admission.facts import ELEMENTS, INTERNATIONAL, PATH_PART, WORK, facts, with_facts
from gateway.admission.normal_paths import LONGEST
from tests.unit.opa.support import question


def found(arguments: dict[str, Any], *needed: tuple[str, list[str]]) -> dict[str, dict[str, str]]:
    needs = [NeededFacts(path=path, facts=names) for path, names in needed]
    return msgspec.to_builtins(facts(arguments, needs))


def test_only_facts_that_the_policy_needs_are_computed() -> None:
    arguments = {"url": "https://example.com/", "to": "a@example.com", "file": "a/../b"}
    assert found(arguments) == {}
    assert found(arguments, ("/url", ["host"])) == {"/url": {"host": "example.com"}}
    assert found(arguments, ("/to", ["domain"]), ("/file", ["path", "host"])) == {
        "/to": {"domain": "example.com"},
        "/file": {"path": "b"},
    }


def test_a_pointer_names_members_and_elements_as_rfc_6901_says() -> None:
    arguments = {"a/b": {"~": ["http://x.example", {"0": "http://y.example"}]}, "": "http://z.example"}
    assert found(arguments, ("/a~1b/~0/0", ["host"])) == {"/a~1b/~0/0": {"host": "x.example"}}
    assert found(arguments, ("/a~1b/~0/1/0", ["host"])) == {"/a~1b/~0/1/0": {"host": "y.example"}}
    assert found(arguments, ("/", ["host"])) == {"/": {"host": "z.example"}}
    for path in (
        "/a~1b/~0/2",
        "/a~1b/~0/00",
        "/a~1b/~0/-1",
        "/a~1b/~0/-",
        "/a~1b/~0/\u0660",
        "/b",
        "/a~1b/~0/0/0",
        "x",
    ):
        assert found(arguments, (path, ["host"])) == {}


def test_strings_of_a_list_have_their_own_pointers() -> None:
    arguments = {"to": ["a@x.example", 7, None, "no address", ["b@y.example"], {"c": "c@z.example"}]}
    assert found(arguments, ("/to", ["domain"])) == {
        "/to/0": {"domain": "x.example"},
        "/to/4/0": {"domain": "y.example"},
    }


def test_a_list_that_is_too_long_has_no_facts() -> None:
    paths = [f"a{number}" for number in range(ELEMENTS)]
    assert len(found({"files": paths}, ("/files", ["path"]))) == ELEMENTS
    assert found({"files": [*paths, "b"]}, ("/files", ["path"])) == {}


def test_no_more_work_is_done_than_is_bounded() -> None:
    lists = {f"l{number:02}": [f"a{each}" for each in range(ELEMENTS)] for number in range(WORK // ELEMENTS + 1)}
    assert len(found(lists, *((f"/{name}", ["path"]) for name in lists))) == WORK
    urls = [f"http://ü{number}.example" for number in range(ELEMENTS)]
    assert len(found({"urls": urls}, ("/urls", ["host"]))) == WORK // INTERNATIONAL
    paths = ["a/" * (LONGEST // 2)] * ELEMENTS
    assert len(found({"files": paths}, ("/files", ["path"]))) == WORK // (1 + LONGEST // PATH_PART)
    encoded = [f"http://XN--BCHER-KVA.example/{number}" for number in range(ELEMENTS)]
    assert len(found({"urls": encoded}, ("/urls", ["host"]))) == WORK // INTERNATIONAL


def test_non_strings_and_facts_of_a_newer_policy_are_left_out() -> None:
    for value in (None, 7, True, {"host": "http://x.example"}, [], [[[[["http://x.example"]]]]]):
        assert found({"url": value}, ("/url", ["host"])) == {}
    assert found({"url": "http://x.example"}, ("/url", ["certificate"])) == {}


def test_a_string_that_two_paths_name_has_the_facts_of_both() -> None:
    needed = ("/to", ["domain"]), ("/to/0", ["path"])
    assert found({"to": ["a@x.example"]}, *needed) == {"/to/0": {"domain": "x.example", "path": "a@x.example"}}


def test_a_question_states_no_facts_until_they_are_needed() -> None:
    plain = question(url="http://x.example")
    assert "facts" not in msgspec.to_builtins(plain)
    stated = with_facts(plain, [NeededFacts(path="/url", facts=["host"])])
    assert msgspec.to_builtins(stated)["facts"] == {"/url": {"host": "x.example"}}
    assert stated.arguments is plain.arguments
    assert msgspec.to_builtins(with_facts(plain, [NeededFacts(path="/other", facts=["host"])]))["facts"] == {}
