package mcp.requirements.agent_is_cleared_test

import data.mcp.lib.fixture_test as fixture

test_asks_nothing_where_the_environment_lists_no_classes if {
	not fixture.refuses("agent_is_cleared", fixture.call, fixture.bundle)
	not fixture.refuses("agent_is_cleared", fixture.tool("strange"), fixture.bundle)
}

test_asks_if_the_environment_does_not_say_whether_it_lists_classes if {
	damaged := fixture.without(fixture.bundle, ["environment", "data_classes"])
	fixture.refuses("agent_is_cleared", fixture.call, damaged)
}

test_asks_nothing_of_messages_without_target if {
	every method in ["initialize", "tools/list"] {
		not fixture.refuses("agent_is_cleared", fixture.message(method), fixture.classified([], ["pii"]))
	}
}

test_is_met_where_the_agent_is_cleared_for_every_class if {
	every case in [
		{"clearance": ["pii"], "data": ["pii"]},
		{"clearance": ["code", "pii"], "data": ["pii"]},
		{"clearance": ["code", "pii"], "data": ["pii", "code"]},
	] {
		not fixture.refuses("agent_is_cleared", fixture.call, fixture.classified(case.clearance, case.data))
	}
}

test_refuses_where_the_agent_lacks_a_class if {
	every case in [
		{"clearance": [], "data": ["pii"]},
		{"clearance": ["code"], "data": ["pii"]},
		{"clearance": ["pii"], "data": ["pii", "code"]},
		{"clearance": ["PII"], "data": ["pii"]},
		{"clearance": ["*"], "data": ["pii"]},
	] {
		fixture.refuses("agent_is_cleared", fixture.call, fixture.classified(case.clearance, case.data))
	}
}

test_refuses_what_is_damaged if {
	every case in [
		{"clearance": ["pii"], "data": []},
		{"clearance": ["pii"], "data": null},
		{"clearance": ["pii"], "data": "pii"},
		{"clearance": ["pii"], "data": {"x": "pii"}},
		{"clearance": ["pii", 7], "data": ["pii", 7]},
		{"clearance": "pii", "data": ["pii"]},
		{"clearance": {"x": "pii"}, "data": ["pii"]},
		{"clearance": null, "data": ["pii"]},
	] {
		fixture.refuses("agent_is_cleared", fixture.call, fixture.classified(case.clearance, case.data))
	}
	whole := fixture.classified(["pii"], ["pii"])
	every path in [
		["catalog", "targets", "slack", "tools", "read_channel", "data"],
		["agents", "bot", "clearance"],
		["agents", "bot"],
	] {
		fixture.refuses("agent_is_cleared", fixture.call, fixture.without(whole, path))
	}
}

test_refuses_a_target_that_is_not_listed if {
	fixture.refuses("agent_is_cleared", fixture.tool("strange"), fixture.classified(["pii"], ["pii"]))
}

test_hides_from_lists_what_the_agent_is_not_cleared_for if {
	item := object.filter(fixture.call, ["message", "target", "definition"])
	list := object.union(object.remove(fixture.call, ["items", "arguments"]), {"items": [item]})
	fixture.listing(list, fixture.classified(["pii"], ["pii"])) == [set()]
	fixture.listing(list, fixture.classified([], ["pii"])) == [{"agent_is_cleared"}]
}

test_says_which_classes_the_agent_lacks if {
	fixture.because("agent_is_cleared", fixture.call, fixture.classified(["pii"], ["code", "pii", "secret"])) == {concat(" ", [
		"Agent `bot` is not cleared for the data class `code`, `secret`",
		"of tool `read_channel`",
	])}
	fixture.because("agent_is_cleared", fixture.call, fixture.classified([], null)) == {concat(" ", [
		"The data classes of",
		"tool `read_channel` are unknown",
	])}
	fixture.because("agent_is_cleared", fixture.call, fixture.classified({"x": "pii"}, ["pii"])) == {concat(" ", [
		"The clearance of agent `bot`",
		"differs from the one that the build checked",
	])}
	strange := fixture.without(fixture.classified([], ["pii"]), ["agents", "bot"])
	fixture.because("agent_is_cleared", fixture.call, strange) == set()
}
