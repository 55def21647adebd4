package mcp.requirements.policy_data_is_loaded_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_complete_data if {
	not "policy_data_is_loaded" in fixture.unmet(fixture.call, fixture.bundle)
}

test_refuses_data_that_lacks_a_part if {
	every path in _parts {
		"policy_data_is_loaded" in fixture.unmet(fixture.call, fixture.without(fixture.bundle, path))
	}
}

test_refuses_data_of_another_type if {
	every path in _parts | {["enforcement"]} {
		every value in [null, 7, "text", ["slack-is-read"]] {
			damaged := fixture.changed(fixture.bundle, path, value)
			_tells(path, value, fixture.unmet(fixture.call, damaged))
		}
	}
}

test_refuses_an_unknown_default if {
	unsure := fixture.changed(fixture.bundle, ["environment", "default"], "maybe")
	"policy_data_is_loaded" in fixture.unmet(fixture.call, unsure)
}

test_refuses_and_names_a_requirement_that_is_missing if {
	lacking := fixture.changed(fixture.bundle, ["required"], ["rules_permit", "mail_stays_inside"])
	"policy_data_is_loaded" in fixture.unmet(fixture.call, lacking)
	fixture.because("policy_data_is_loaded", fixture.call, lacking) == {concat(" ", [
		"the requirement mail_stays_inside must be in force",
		"and is not in this bundle",
	])}
}

test_refuses_an_index_that_holds_something_else_than_lists if {
	damaged := fixture.changed(fixture.bundle, ["index", "rules", "*", "read", "agent:bot"], "slack-is-kept")
	"policy_data_is_loaded" in fixture.unmet(fixture.call, damaged)
}

_parts := {
	["environment"],
	["environment", "name"],
	["environment", "default"],
	["required"],
	["index"],
	["index", "rules"],
	["index", "rules", "*"],
	["index", "rules", "*", "read"],
	["index", "rules", "*", "read", "any"],
	["index", "rules", "slack"],
	["index", "rules", "slack", "read"],
	["index", "rules", "slack", "read", "any"],
	["index", "who"],
	["index", "who", "bot"],
}

_tells(_, _, unmet) if "policy_data_is_loaded" in unmet

# A name may be any text, and a leaf of the index any list.
_tells(["environment", "name"], "text", _)

_tells(path, ["slack-is-read"], _) if path[count(path) - 1] in {"any", "bot"}

test_says_nothing_of_a_server_that_is_not_in_the_catalog if {
	unknown := fixture.changed(fixture.call, ["server", "id"], "github")
	not "policy_data_is_loaded" in fixture.unmet(unknown, fixture.bundle)
}
