"""What upstreams present: learned from their lists, forgotten in time, bounded in memory."""

import time
import tracemalloc
from typing import Any

import pytest

from gateway.admission.digests import define
from gateway.admission.policy_input import Target
from gateway.definitions import Bounds, Cache
from gateway.pipeline.ports import ViewKey

VIEW = ViewKey(server="files", credential="", revision="2025-11-25", session="s1")
OTHER = ViewKey(server="files", credential="", revision="2025-11-25", session="s2")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> Cache:
    return Cache(max_age_s=300, clock=clock)


def tool(name: str, description: str = "d", **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    return {"name": name, "description": description, "inputSchema": schema, **more}


def learn(cache: Cache, *tools: Any, view: ViewKey = VIEW, first: bool = True, last: bool = True) -> None:
    cache.learn(view, "tools/list", {"tools": list(tools)}, first=first, last=last)


def sha(cache: Cache, name: str, view: ViewKey = VIEW) -> str | None:
    found = cache.seen(view, Target(type="tool", name=name))
    return found.definition.sha256 if found else None


def test_what_was_listed_is_seen_with_its_digests(cache: Cache) -> None:
    learn(cache, tool("read"), tool("write"))
    assert sha(cache, "read") == define(tool("read")).sha256
    assert sha(cache, "delete") is None
    assert sha(cache, "READ") is None


def test_arguments_are_checked_against_the_schema_that_was_presented(cache: Cache) -> None:
    learn(cache, tool("read"), {"name": "bare"})
    read = cache.seen(VIEW, Target(type="tool", name="read"))
    assert read is not None
    assert [read.findings(given, 0).schema for given in ({"path": "a"}, {})] == ["match", "mismatch"]
    assert read.folded_key({"Path": "a"}) == "Path"
    bare = cache.seen(VIEW, Target(type="tool", name="bare"))
    assert bare is not None
    assert (bare.findings({}, 0).schema, bare.findings({}, 0).unchecked) == ("match", ("",))


def test_mirrored_arguments_are_told(cache: Cache) -> None:
    properties = {"to": {"type": "string", "x-mcp-header": "To"}}
    learn(cache, tool("send") | {"inputSchema": {"type": "object", "properties": properties}}, tool("read"))
    send, read = (cache.seen(VIEW, Target(type="tool", name=name)) for name in ("send", "read"))
    assert send is not None
    assert read is not None
    assert [tuple(parameter) for parameter in send.parameters] == [("mcp-param-to", ("to",), "string")]
    assert read.parameters == ()


def test_another_credential_revision_or_server_has_not_seen_it(cache: Cache) -> None:
    learn(cache, tool("read"))
    for view in (
        ViewKey(server="files", credential="github", revision="2025-11-25"),
        ViewKey(server="files", credential="", revision="2025-06-18"),
        ViewKey(server="other", credential="", revision="2025-11-25"),
    ):
        assert sha(cache, "read", view) is None


def test_pages_add_up(cache: Cache, clock: Clock) -> None:
    learn(cache, tool("a"), last=False)
    assert not cache.fresh(VIEW, "tools/list")
    learn(cache, tool("b"), first=False)
    assert cache.fresh(VIEW, "tools/list")
    assert sha(cache, "a")
    assert sha(cache, "b")
    clock.now += 11
    assert not cache.fresh(VIEW, "tools/list"), "an unknown name is worth another listing"


def test_a_last_page_alone_is_no_whole_listing(cache: Cache) -> None:
    learn(cache, tool("b"), first=False)
    assert not cache.fresh(VIEW, "tools/list")


def test_pages_of_two_readers_may_come_in_any_order(cache: Cache) -> None:
    learn(cache, tool("a"), last=False)
    learn(cache, tool("b"), first=False, last=False)
    learn(cache, tool("a"), last=False)
    learn(cache, tool("c"), first=False)
    assert all(sha(cache, name) for name in "abc")


def test_a_name_that_is_presented_in_two_ways_is_not_seen(cache: Cache) -> None:
    learn(cache, tool("read"), tool("read", "another"), tool("write"), tool("write"))
    assert sha(cache, "read") is None
    assert sha(cache, "write"), "twice the same is one way"


def test_two_ways_on_two_pages_are_two_ways_even_when_the_first_page_is_read_again(cache: Cache) -> None:
    learn(cache, tool("read"), last=False)
    learn(cache, tool("read", "another"), first=False)
    assert sha(cache, "read") is None
    learn(cache, tool("read"), last=False)
    assert sha(cache, "read") is None


def test_a_changed_definition_replaces_the_old_one_in_its_session(cache: Cache) -> None:
    learn(cache, tool("read"))
    learn(cache, tool("read", "changed"))
    assert sha(cache, "read") == define(tool("read", "changed")).sha256


def test_what_is_older_than_the_maximum_age_is_not_seen(cache: Cache, clock: Clock) -> None:
    learn(cache, tool("read"))
    clock.now += 299
    assert sha(cache, "read")
    clock.now += 1
    assert sha(cache, "read") is None


@pytest.mark.parametrize("method", ["notifications/tools/list_changed", "tools/list"])
def test_a_changed_list_is_forgotten_for_every_credential_and_session(cache: Cache, method: str) -> None:
    learn(cache, tool("read"))
    learn(cache, tool("read"), view=ViewKey(server="files", credential="own/alice", revision="2026-07-28"))
    learn(cache, tool("read"), view=ViewKey(server="other", credential="", revision="2026-07-28"))
    cache.forget("files", method)
    assert sha(cache, "read") is None
    assert not cache.fresh(VIEW, "tools/list")
    assert sha(cache, "read", ViewKey(server="files", credential="own/alice", revision="2026-07-28")) is None
    assert sha(cache, "read", ViewKey(server="other", credential="", revision="2026-07-28"))
    learn(cache, tool("read"))
    assert sha(cache, "read")


def test_a_changed_list_of_another_kind_is_none_of_its_business(cache: Cache) -> None:
    learn(cache, tool("read"))
    cache.forget("files", "notifications/prompts/list_changed")
    cache.forget("files", "notifications/resources/list_changed")
    assert sha(cache, "read")


def test_sessions_share_what_is_presented_alike(cache: Cache) -> None:
    learn(cache, tool("read"))
    assert sha(cache, "read", OTHER)


def test_sessions_that_are_shown_different_things_have_their_own_view(cache: Cache, clock: Clock) -> None:
    learn(cache, tool("read"), tool("write"))
    learn(cache, tool("read", "for two"), view=OTHER)
    assert sha(cache, "read", OTHER) == define(tool("read", "for two")).sha256, "the reader's own listing stands"
    assert sha(cache, "read") is None, "the other session lists for itself"
    learn(cache, tool("read"))
    assert sha(cache, "read") != sha(cache, "read", OTHER)
    clock.now += 3_600
    learn(cache, tool("read"))
    assert sha(cache, "read", OTHER), "after an hour sessions share again"


def test_a_change_that_was_announced_does_not_part_the_sessions(cache: Cache) -> None:
    learn(cache, tool("read"))
    cache.forget("files", "notifications/tools/list_changed")
    learn(cache, tool("read", "changed"), view=OTHER)
    assert sha(cache, "read") == sha(cache, "read", OTHER)


def test_prompts_and_resources_are_seen_as_what_they_are(cache: Cache) -> None:
    cache.learn(VIEW, "prompts/list", {"prompts": [{"name": "greet"}]}, first=True, last=True)
    cache.learn(VIEW, "resources/list", {"resources": [{"uri": "file:///a", "name": "greet"}]}, first=True, last=True)
    assert cache.seen(VIEW, Target(type="tool", name="greet")) is None
    prompt = cache.seen(VIEW, Target(type="prompt", name="greet"))
    assert prompt is not None
    assert prompt.findings({}, 0).schema == "none"
    assert prompt.folded_key({"a": 1, "A": 2}) == "a"
    resource = cache.seen(VIEW, Target(type="resource", uri="file:///a"))
    assert resource is not None
    assert resource.definition.sha256 == define({"uri": "file:///a", "name": "greet"}).sha256
    assert cache.seen(VIEW, Target(type="task", name="greet")) is None
    assert cache.seen(VIEW, Target()) is None


def learn_resources(cache: Cache, *uris: str, templates: tuple[str, ...] = ()) -> None:
    found = [{"uri": uri, "name": uri} for uri in uris]
    cache.learn(VIEW, "resources/list", {"resources": found}, first=True, last=True)
    listed = [{"uriTemplate": template, "name": template} for template in templates]
    cache.learn(VIEW, "resources/templates/list", {"resourceTemplates": listed}, first=True, last=True)


def resource(cache: Cache, uri: str) -> str | None:
    found = cache.seen(VIEW, Target(type="resource", uri=uri))
    return found.definition.sha256 if found else None


def test_an_expansion_of_a_template_is_presented_as_the_template(cache: Cache) -> None:
    learn_resources(cache, "test://t/1", templates=("test://t/{id}", "test://{any}/{id}", "test://t/{id}/data"))
    closest = define({"uriTemplate": "test://t/{id}", "name": "test://t/{id}"}).sha256
    assert resource(cache, "test://t/2") == closest
    assert resource(cache, "test://t/{id}") == closest
    assert resource(cache, "test://t/1") == define({"uri": "test://t/1", "name": "test://t/1"}).sha256
    assert resource(cache, "test://u") is None


def test_two_templates_that_say_as_much_are_ambiguous(cache: Cache) -> None:
    learn_resources(cache, templates=("test://{a}/x", "test://x/{b}"))
    assert resource(cache, "test://x/x") is None


def test_a_template_does_not_stand_in_for_a_resource_that_may_be_listed(cache: Cache, clock: Clock) -> None:
    templates = {"resourceTemplates": [{"uriTemplate": "test://t/{id}", "name": "t"}]}
    cache.learn(VIEW, "resources/templates/list", templates, first=True, last=True)
    assert resource(cache, "test://t/1") is None
    learn_resources(cache, templates=("test://t/{id}",))
    assert resource(cache, "test://t/1")
    cache.forget("files", "notifications/resources/list_changed")
    assert resource(cache, "test://t/1") is None


NO_LISTS: list[dict[str, Any]] = [
    {},
    {"tools": None},
    {"tools": {}},
    {"tools": [1, None, [], {}, {"name": 3}, {"name": ""}, {"name": None}]},
]


@pytest.mark.parametrize("result", NO_LISTS)
def test_what_is_no_list_of_things_presents_nothing(cache: Cache, result: dict[str, Any]) -> None:
    cache.learn(VIEW, "tools/list", result, first=True, last=True)
    assert sha(cache, "") is None


def test_values_that_are_beyond_any_encoding_are_still_told_apart(cache: Cache) -> None:
    learn(cache, tool("a", _meta={"n": 2**70}), tool("b", _meta={"n": 2**70 + 1}), tool("c", "\ud800"))
    assert len({sha(cache, name) for name in "abc"}) == 3


def test_ten_thousand_sessions_take_no_more_memory_than_one(cache: Cache) -> None:
    tools = [tool(f"tool{number}") for number in range(50)]

    def sessions(numbers: range) -> int:
        for number in numbers:
            view = ViewKey(server="files", credential="", revision="2025-11-25", session=f"session {number}")
            learn(cache, *tools, view=view)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = sessions(range(10))
        after = sessions(range(10, 1_000))
    finally:
        tracemalloc.stop()
    assert after - before < 200_000


def test_views_beyond_the_bounds_make_room(clock: Clock) -> None:
    cache = Cache(max_age_s=300, clock=clock, bounds=Bounds(entries=100))
    views = [ViewKey(server="files", credential=f"own/{number}", revision="r") for number in range(50)]
    for view in views:
        learn(cache, *(tool(f"t{number}") for number in range(10)), view=view)
        assert sha(cache, "t0", views[0]), "what is looked at stays"
    assert sum(sha(cache, "t0", view) is not None for view in views) == 10
    assert cache._entries == 100


def test_definitions_are_held_once_and_let_go(clock: Clock) -> None:
    cache = Cache(max_age_s=300, clock=clock)
    views = [ViewKey(server="files", credential=f"own/{number}", revision="r") for number in range(5)]
    for view in views:
        learn(cache, tool("a"), tool("b"), view=view)
    one = cache._interned.weight
    assert len(cache._interned._held) == 2
    for view in views:
        learn(cache, tool("a", "changed"), tool("b", "changed"), view=view)
    assert len(cache._interned._held) == 2
    assert abs(cache._interned.weight - one) < 200
    cache.forget("files", "tools/list")
    for view in views:
        assert sha(cache, "a", view) is None
    assert (cache._interned.weight, len(cache._interned._held), cache._entries) == (0, 0, 0)


def test_heavy_definitions_make_room_too(clock: Clock) -> None:
    cache = Cache(max_age_s=300, clock=clock, bounds=Bounds(weight=1_000_000))
    for number in range(50):
        view = ViewKey(server="files", credential=f"own/{number}", revision="r")
        learn(cache, tool("a", f"{number}" * 10_000), view=view)
        assert cache._interned.weight <= 1_000_000


def test_a_listing_without_end_is_not_kept_without_end(clock: Clock) -> None:
    cache = Cache(max_age_s=300, clock=clock, bounds=Bounds(names=100))
    for page in range(20):
        learn(cache, *(tool(f"t{page}-{number}") for number in range(10)), first=page == 0, last=False)
    assert cache._entries == 100
    assert sha(cache, "t0-0")
    assert sha(cache, "t19-9") is None


def test_learning_a_known_list_of_a_thousand_tools_is_quick(cache: Cache) -> None:
    tools = [tool(f"t{number}", "d" * 500) for number in range(1_000)]
    learn(cache, *tools)
    start = time.process_time()
    learn(cache, *tools)
    assert time.process_time() - start < 0.1
