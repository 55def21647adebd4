"""Definitions of upstreams: learned from their lists, forgotten in time, limited in memory."""

import time
import tracemalloc
from typing import Any

import pytest

from gateway.admission.digests import define
from gateway.admission.policy_input import Target
from gateway.definitions import CacheBounds, DefinitionCache
from gateway.pipeline.ports import Learned, ListTicket, ViewKey
from gateway.shared_counters import alone, attached, created

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
def cache(clock: Clock) -> DefinitionCache:
    return DefinitionCache(alone(), max_age_s=300, clock=clock)


def tool(name: str, description: str = "d", **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    return {"name": name, "description": description, "inputSchema": schema, **more}


def learn(cache: DefinitionCache, *tools: Any, view: ViewKey = VIEW) -> Learned:
    return learn_list(cache, "tools/list", *tools, view=view)


def learn_list(cache: DefinitionCache, method: str, *items: Any, view: ViewKey = VIEW) -> Learned:
    """Learn a list of one page that was requested a moment ago."""
    with cache.draft(view, method, cache.ticket(view.server, method)) as draft:
        draft.add(list(items))
        return draft.learn()


def page(
    cache: DefinitionCache, ticket: ListTicket, *tools: Any, cursor: str = "", after: str = "", view: ViewKey = VIEW
) -> str:
    """Add one page of a client's listing, and return the result of the listing."""
    with cache.draft(view, "tools/list", ticket, cursor) as draft:
        draft.add(list(tools))
        if after:
            draft.keep(after)
            return "kept"
        return draft.learn()


def sha(cache: DefinitionCache, name: str, view: ViewKey = VIEW) -> str | None:
    found = cache.seen(view, Target(type="tool", name=name))
    return found.definition.sha256 if found else None


def test_a_listed_definition_is_seen_with_its_digests(cache: DefinitionCache) -> None:
    learn(cache, tool("read"), tool("write"))
    assert sha(cache, "read") == define(tool("read")).sha256
    assert sha(cache, "delete") is None
    assert sha(cache, "READ") is None


def test_arguments_are_checked_against_the_schema_that_was_presented(cache: DefinitionCache) -> None:
    learn(cache, tool("read"), {"name": "bare"})
    read = cache.seen(VIEW, Target(type="tool", name="read"))
    assert read is not None
    assert [read.findings(given, 0).schema for given in ({"path": "a"}, {})] == ["match", "mismatch"]
    assert read.folded_key({"Path": "a"}) == "Path"
    bare = cache.seen(VIEW, Target(type="tool", name="bare"))
    assert bare is not None
    assert (bare.findings({}, 0).schema, bare.findings({}, 0).unchecked) == ("match", ("",))


def test_mirrored_arguments_are_reported(cache: DefinitionCache) -> None:
    properties = {"to": {"type": "string", "x-mcp-header": "To"}}
    learn(cache, tool("send") | {"inputSchema": {"type": "object", "properties": properties}}, tool("read"))
    send, read = (cache.seen(VIEW, Target(type="tool", name=name)) for name in ("send", "read"))
    assert send is not None
    assert read is not None
    assert [tuple(parameter) for parameter in send.parameters] == [("mcp-param-to", ("to",), "string")]
    assert read.parameters == ()


def test_another_credential_revision_or_server_has_not_seen_it(cache: DefinitionCache) -> None:
    learn(cache, tool("read"))
    for view in (
        ViewKey(server="files", credential="github", revision="2025-11-25"),
        ViewKey(server="files", credential="", revision="2025-06-18"),
        ViewKey(server="other", credential="", revision="2025-11-25"),
    ):
        assert sha(cache, "read", view) is None


def asked(cache: DefinitionCache, view: ViewKey = VIEW) -> ListTicket:
    return cache.ticket(view.server, "tools/list")


def test_pages_add_up_with_the_last_one(cache: DefinitionCache, clock: Clock) -> None:
    page(cache, asked(cache), tool("a"), after="2")
    assert sha(cache, "a") is None, "a listing that was not read to its end teaches nothing"
    assert page(cache, asked(cache), tool("b"), cursor="2") == "learned"
    assert cache.fresh(VIEW, "tools/list")
    assert sha(cache, "a")
    assert sha(cache, "b")
    clock.now += 11
    assert not cache.fresh(VIEW, "tools/list"), "an unknown name is worth another listing"


@pytest.mark.parametrize("cursor", ["2", "3"])
def test_a_last_page_alone_is_not_a_whole_listing(cache: DefinitionCache, cursor: str) -> None:
    page(cache, asked(cache), tool("a"), after="another")
    assert page(cache, asked(cache), tool("b"), cursor=cursor) == "stale"
    assert not cache.fresh(VIEW, "tools/list")
    assert sha(cache, "b") is None


def test_pages_with_news_between_them_teach_nothing(cache: DefinitionCache) -> None:
    page(cache, asked(cache), tool("a"), after="2")
    cache.forget("files", "notifications/tools/list_changed")
    assert page(cache, asked(cache), tool("b"), cursor="2") == "stale"
    assert sha(cache, "a") is None


def test_pages_that_come_late_teach_nothing(cache: DefinitionCache, clock: Clock) -> None:
    page(cache, asked(cache), tool("a"), after="2")
    clock.now += 60
    assert page(cache, asked(cache), tool("b"), cursor="2") == "stale"


def test_pages_of_another_view_do_not_continue_a_listing(cache: DefinitionCache) -> None:
    page(cache, asked(cache), tool("a"), after="2")
    assert page(cache, asked(cache), tool("b"), cursor="2", view=OTHER) == "stale"


def test_a_replayed_page_teaches_nothing_and_ends_the_listing_that_it_continues(cache: DefinitionCache) -> None:
    page(cache, asked(cache), tool("a"), after="2")
    with cache.draft(VIEW, "tools/list", None, "2") as draft:
        draft.add([tool("b", "poisoned")])
        assert draft.learn() == "stale"
    assert sha(cache, "b") is None


def test_a_listing_without_a_ticket_is_read_and_not_learned(cache: DefinitionCache) -> None:
    with cache.draft(VIEW, "tools/list", None) as draft:
        draft.add([tool("read")])
        assert draft.presented("read") is not None
        assert draft.learn() == "stale"
    assert sha(cache, "read") is None
    assert cache.interned.weight == 0


def test_a_list_that_was_asked_for_before_the_news_is_not_learned(cache: DefinitionCache) -> None:
    before = asked(cache)
    cache.forget("files", "notifications/tools/list_changed")
    assert page(cache, before, tool("read")) == "stale"
    assert page(cache, asked(cache), tool("read")) == "learned"


def test_a_slow_list_does_not_replace_one_that_was_asked_for_later(cache: DefinitionCache) -> None:
    slow = asked(cache)
    learn(cache, tool("read", "changed"))
    assert page(cache, slow, tool("read")) == "stale"
    assert sha(cache, "read") == define(tool("read", "changed")).sha256


def test_a_slow_list_does_not_come_back_when_sessions_part(cache: DefinitionCache) -> None:
    slow = asked(cache)
    learn(cache, tool("read", "changed"))
    learn(cache, tool("read", "for two"), view=OTHER)
    assert page(cache, slow, tool("read")) == "stale"


def test_one_answer_is_learned_once(cache: DefinitionCache) -> None:
    once = asked(cache)
    assert page(cache, once, tool("read")) == "learned"
    assert page(cache, once, tool("read", "poisoned")) == "stale"


def test_listings_that_wait_for_a_page_are_bounded(cache: DefinitionCache) -> None:
    for number in range(200):
        page(cache, asked(cache), tool(f"t{number}"), after=f"{number}")
    assert len(cache._drafts) == 64
    assert len(cache.interned._held) == 64
    assert page(cache, asked(cache), cursor="199") == "learned"
    assert len(cache._drafts) == 63


def test_a_name_that_a_later_listing_lacks_is_not_there(cache: DefinitionCache) -> None:
    learn(cache, tool("read"), tool("write"))
    learn(cache, tool("read"))
    assert sha(cache, "write") is None


def test_a_name_missing_in_one_session_may_be_there_for_another(cache: DefinitionCache) -> None:
    learn(cache, tool("read"))
    assert cache.fresh(VIEW, "tools/list")
    assert not cache.fresh(OTHER, "tools/list")


def test_a_name_that_is_presented_in_two_ways_is_not_seen(cache: DefinitionCache) -> None:
    learn(cache, tool("read"), tool("read", "another"), tool("write"), tool("write"))
    assert sha(cache, "read") is None
    assert sha(cache, "write"), "twice the same is one way"


def test_two_ways_on_two_pages_are_two_ways(cache: DefinitionCache) -> None:
    page(cache, asked(cache), tool("read"), tool("write"), after="2")
    page(cache, asked(cache), tool("read", "another"), tool("write"), cursor="2")
    assert sha(cache, "read") is None
    assert cache.ambiguous(VIEW, Target(type="tool", name="read"))
    assert sha(cache, "write"), "twice the same is one way"
    assert not cache.ambiguous(VIEW, Target(type="tool", name="write"))
    learn(cache, tool("read"), tool("write"))
    assert sha(cache, "read"), "the next whole listing counts"


def test_a_changed_definition_replaces_the_old_one_in_its_session(cache: DefinitionCache) -> None:
    learn(cache, tool("read"))
    learn(cache, tool("read", "changed"))
    assert sha(cache, "read") == define(tool("read", "changed")).sha256


def test_a_definition_older_than_the_maximum_age_is_not_seen(cache: DefinitionCache, clock: Clock) -> None:
    learn(cache, tool("read"))
    clock.now += 299
    assert sha(cache, "read")
    clock.now += 1
    assert sha(cache, "read") is None


@pytest.mark.parametrize("method", ["notifications/tools/list_changed", "tools/list"])
def test_a_changed_list_is_forgotten_for_every_credential_and_session(cache: DefinitionCache, method: str) -> None:
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


def test_a_changed_list_of_another_kind_is_none_of_its_business(cache: DefinitionCache) -> None:
    learn(cache, tool("read"))
    cache.forget("files", "notifications/prompts/list_changed")
    cache.forget("files", "notifications/resources/list_changed")
    assert sha(cache, "read")


def test_sessions_share_equal_presentations(cache: DefinitionCache) -> None:
    learn(cache, tool("read"))
    assert sha(cache, "read", OTHER)


def test_sessions_that_are_shown_different_things_have_their_own_view(cache: DefinitionCache, clock: Clock) -> None:
    learn(cache, tool("read"), tool("write"))
    learn(cache, tool("read", "for two"), view=OTHER)
    assert sha(cache, "read", OTHER) == define(tool("read", "for two")).sha256, "the reader's own listing stands"
    assert sha(cache, "read") is None, "the other session lists for itself"
    learn(cache, tool("read"))
    assert sha(cache, "read") != sha(cache, "read", OTHER)
    clock.now += 3_600
    learn(cache, tool("read"))
    assert sha(cache, "read", OTHER), "after an hour sessions share again"


def test_a_change_that_was_announced_does_not_part_the_sessions(cache: DefinitionCache) -> None:
    learn(cache, tool("read"))
    cache.forget("files", "notifications/tools/list_changed")
    learn(cache, tool("read", "changed"), view=OTHER)
    assert sha(cache, "read") == sha(cache, "read", OTHER)


def test_prompts_and_resources_are_seen_with_their_type(cache: DefinitionCache) -> None:
    learn_list(cache, "prompts/list", {"name": "greet"})
    learn_list(cache, "resources/list", {"uri": "file:///a", "name": "greet"})
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


def learn_resources(cache: DefinitionCache, *uris: str, templates: tuple[str, ...] = ()) -> None:
    found = [{"uri": uri, "name": uri} for uri in uris]
    learn_list(cache, "resources/list", *found)
    listed = [{"uriTemplate": template, "name": template} for template in templates]
    learn_list(cache, "resources/templates/list", *listed)


def resource(cache: DefinitionCache, uri: str) -> str | None:
    found = cache.seen(VIEW, Target(type="resource", uri=uri))
    return found.definition.sha256 if found else None


def test_an_expansion_of_a_template_is_presented_as_the_template(cache: DefinitionCache) -> None:
    learn_resources(cache, "test://t/1", templates=("test://t/{id}", "test://{any}/{id}", "test://t/{id}/data"))
    closest = define({"uriTemplate": "test://t/{id}", "name": "test://t/{id}"}).sha256
    assert resource(cache, "test://t/2") == closest
    assert resource(cache, "test://t/{id}") == closest
    assert resource(cache, "test://t/1") == define({"uri": "test://t/1", "name": "test://t/1"}).sha256
    assert resource(cache, "test://u") is None


def test_two_templates_that_say_as_much_are_ambiguous(cache: DefinitionCache) -> None:
    learn_resources(cache, templates=("test://{a}/x", "test://x/{b}"))
    assert resource(cache, "test://x/x") is None


def test_a_template_does_not_stand_in_for_a_resource_that_may_be_listed(cache: DefinitionCache, clock: Clock) -> None:
    learn_list(cache, "resources/templates/list", {"uriTemplate": "test://t/{id}", "name": "t"})
    assert resource(cache, "test://t/1") is None
    learn_resources(cache, templates=("test://t/{id}",))
    assert resource(cache, "test://t/1")
    cache.forget("files", "notifications/resources/list_changed")
    assert resource(cache, "test://t/1") is None


def test_an_entry_without_a_name_presents_nothing(cache: DefinitionCache) -> None:
    learn(cache, 1, None, [], {}, {"name": 3}, {"name": ""}, {"name": None})
    assert sha(cache, "") is None


def test_values_that_cannot_be_encoded_are_still_distinguished(cache: DefinitionCache) -> None:
    learn(cache, tool("a", _meta={"n": 2**70}), tool("b", _meta={"n": 2**70 + 1}), tool("c", "\ud800"))
    assert len({sha(cache, name) for name in "abc"}) == 3


def test_ten_thousand_sessions_take_no_more_memory_than_one(cache: DefinitionCache) -> None:
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
    cache = DefinitionCache(alone(), max_age_s=300, clock=clock, bounds=CacheBounds(entries=100))
    views = [ViewKey(server="files", credential=f"own/{number}", revision="r") for number in range(50)]
    for view in views:
        learn(cache, *(tool(f"t{number}") for number in range(10)), view=view)
        assert sha(cache, "t0", views[0]), "a view that is read stays"
    assert sum(sha(cache, "t0", view) is not None for view in views) == 10
    assert cache._entries == 100


def test_definitions_are_held_once_and_released(clock: Clock) -> None:
    cache = DefinitionCache(alone(), max_age_s=300, clock=clock)
    views = [ViewKey(server="files", credential=f"own/{number}", revision="r") for number in range(5)]
    for view in views:
        learn(cache, tool("a"), tool("b"), view=view)
    one = cache.interned.weight
    assert len(cache.interned._held) == 2
    for view in views:
        learn(cache, tool("a", "changed"), tool("b", "changed"), view=view)
    assert len(cache.interned._held) == 2
    assert abs(cache.interned.weight - one) < 200
    cache.forget("files", "tools/list")
    for view in views:
        assert sha(cache, "a", view) is None
    assert (cache.interned.weight, len(cache.interned._held), cache._entries) == (0, 0, 0)


def test_heavy_definitions_make_room_too(clock: Clock) -> None:
    cache = DefinitionCache(alone(), max_age_s=300, clock=clock, bounds=CacheBounds(weight=1_000_000))
    for number in range(50):
        view = ViewKey(server="files", credential=f"own/{number}", revision="r")
        learn(cache, tool("a", f"{number}" * 10_000), view=view)
        assert cache.interned.weight <= 1_000_000


def test_a_listing_without_end_is_not_kept_without_end(clock: Clock) -> None:
    cache = DefinitionCache(alone(), max_age_s=300, clock=clock, bounds=CacheBounds(names=100))
    assert learn(cache, *(tool(f"t{number}") for number in range(200))) == "truncated"
    assert cache._entries == 100
    assert sha(cache, "t0")
    assert sha(cache, "t199") is None
    assert not cache.fresh(VIEW, "tools/list"), "a name beyond the bound may exist"


def test_a_listing_beyond_the_memory_is_said_to_be_too_large(clock: Clock) -> None:
    cache = DefinitionCache(alone(), max_age_s=300, clock=clock, bounds=CacheBounds(weight=100_000))
    assert learn(cache, tool("a", "d" * 100_000)) == "too_large"
    assert cache.interned.weight == 0


class Fleet:
    """Two workers over one page of counters."""

    def __init__(self, clock: Clock) -> None:
        with created(2) as descriptor:
            pages = [attached(descriptor, number) for number in range(2)]
        self.one, self.two = (DefinitionCache(counters, max_age_s=300, clock=clock) for counters in pages)


@pytest.fixture
def fleet(clock: Clock) -> Fleet:
    return Fleet(clock)


def test_a_list_that_one_worker_forgets_is_forgotten_by_the_other(fleet: Fleet) -> None:
    learn(fleet.two, tool("read"))
    slow = asked(fleet.two)
    fleet.one.forget("files", "notifications/tools/list_changed")
    assert sha(fleet.two, "read") is None
    assert page(fleet.two, slow, tool("read")) == "stale"


def test_a_change_that_one_worker_learns_makes_the_other_list_again(fleet: Fleet) -> None:
    learn(fleet.one, tool("read"))
    learn(fleet.two, tool("read"))
    learn(fleet.one, tool("read", "changed"))
    assert sha(fleet.one, "read"), "its own listing stands"
    assert sha(fleet.two, "read") is None


@pytest.mark.parametrize("changed", [[], [tool("read"), tool("write")]])
def test_an_added_or_removed_name_is_a_change(fleet: Fleet, changed: list[Any]) -> None:
    learn(fleet.one, tool("read"))
    learn(fleet.two, tool("read"))
    learn(fleet.one, *changed)
    assert sha(fleet.two, "read") is None


def test_a_change_is_one_also_after_the_old_listing_was_forgotten(fleet: Fleet, clock: Clock) -> None:
    learn(fleet.one, tool("read"))
    clock.now += 301
    learn(fleet.two, tool("read"))
    learn(fleet.one, tool("read", "changed"))
    assert sha(fleet.two, "read") is None


def test_sessions_that_part_in_one_worker_make_the_other_list_again(fleet: Fleet) -> None:
    learn(fleet.one, tool("read"))
    learn(fleet.two, tool("read"))
    learn(fleet.one, tool("read", "changed"), view=OTHER)
    assert sha(fleet.two, "read") is None


def test_a_first_or_an_equal_listing_is_not_a_change(fleet: Fleet) -> None:
    learn(fleet.one, tool("read"))
    learn(fleet.two, tool("read"))
    learn(fleet.one, tool("read"))
    assert sha(fleet.one, "read")
    assert sha(fleet.two, "read")


def test_a_server_whose_list_differs_each_time_does_not_keep_the_workers_listing(fleet: Fleet, clock: Clock) -> None:
    listed = 0
    for call in range(200):
        for cache in (fleet.one, fleet.two):
            if sha(cache, "read") is None:
                listed += 1
                learn(cache, tool("read", f"{call} {listed}"))
    assert listed < 20
    for change in range(10):
        learn(fleet.one, tool("read", f"changed {change}"))
    learn(fleet.two, tool("read"))
    learn(fleet.one, tool("read", "last"))
    assert sha(fleet.two, "read"), "the change is held back"
    clock.now += 11
    assert sha(fleet.one, "read")
    assert sha(fleet.two, "read") is None, "and reaches the other worker in the end"


def test_a_change_that_was_held_back_reaches_the_other_worker_without_traffic(fleet: Fleet, clock: Clock) -> None:
    for change in range(10):
        learn(fleet.one, tool("read", f"changed {change}"))
    learn(fleet.two, tool("read"))
    learn(fleet.one, tool("read", "last"))
    fleet.one.notify()
    assert sha(fleet.two, "read"), "the change is held back"
    clock.now += 11
    fleet.one.notify()
    assert sha(fleet.two, "read") is None


def test_learning_a_known_list_of_a_thousand_tools_is_quick(cache: DefinitionCache) -> None:
    tools = [tool(f"t{number}", "d" * 500) for number in range(1_000)]
    learn(cache, *tools)
    start = time.process_time()
    learn(cache, *tools)
    assert time.process_time() - start < 0.1


def test_a_listing_in_progress_drops_no_listing_of_another_server(clock: Clock) -> None:
    cache = DefinitionCache(alone(), max_age_s=300, bounds=CacheBounds(weight=100_000), clock=clock)
    learn(cache, tool("read"))
    greedy = ViewKey(server="greedy", credential="", revision="2025-11-25", session="s1")
    with cache.draft(greedy, "tools/list", cache.ticket("greedy", "tools/list")) as draft:
        draft.add([tool(f"t{number}", "x" * 1_000) for number in range(100)])
        assert cache.interned.weight > 100_000
        assert learn(cache, tool("read"), tool("write")) == "learned"
        assert sha(cache, "write")
        assert draft.learn() == "too_large"
    assert sha(cache, "write")


@pytest.mark.parametrize("ends", ["left", "learned", "kept"])
def test_a_listing_that_is_read_no_more_counts_again(cache: DefinitionCache, ends: str) -> None:
    view = ViewKey(server="other", credential="", revision="2025-11-25", session="s1")
    with cache.draft(view, "tools/list", cache.ticket("other", "tools/list")) as draft:
        draft.add([tool("a"), tool("b"), tool("a"), tool("b", "another"), {"no": "name"}])
        assert cache.interned.reading == cache.interned.weight > 0
        if ends == "learned":
            draft.learn()
        elif ends == "kept":
            draft.keep("next")
        else:
            draft.clear()
        assert cache.interned.reading == 0
    assert cache.interned.reading == 0
    assert (cache.interned.weight == 0) is (ends == "left")


def test_a_listing_that_is_too_large_to_hold_ends_the_one_before_it(clock: Clock) -> None:
    cache = DefinitionCache(alone(), max_age_s=300, bounds=CacheBounds(weight=100_000), clock=clock)
    learn(cache, tool("read"))
    learn(cache, tool("read"), view=ViewKey(server="other", credential="", revision="2025-11-25", session="s1"))
    assert learn(cache, *(tool(f"t{number}", "x" * 1_000) for number in range(100))) == "too_large"
    assert sha(cache, "read") is None
    assert sha(cache, "read", ViewKey(server="other", credential="", revision="2025-11-25", session="s1"))
