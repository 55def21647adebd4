package mcp.requirements.policy_data_is_loaded_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_complete_data if {
	not fixture.refuses("policy_data_is_loaded", fixture.call, fixture.bundle)
}

test_refuses_data_that_lacks_a_part if {
	every path in _parts {
		fixture.refuses("policy_data_is_loaded", fixture.call, fixture.without(fixture.bundle, path))
	}
}

test_refuses_data_of_another_type if {
	every path in _parts | {["enforcement"]} {
		every value in [null, 7, "text", ["slack-is-read"]] {
			damaged := fixture.changed(fixture.bundle, path, value)
			_tells(path, value, damaged)
		}
	}
}

test_refuses_an_unknown_default if {
	unsure := fixture.changed(fixture.bundle, ["environment", "default"], "maybe")
	fixture.refuses("policy_data_is_loaded", fixture.call, unsure)
}

test_refuses_and_names_a_requirement_that_is_missing if {
	lacking := fixture.changed(fixture.bundle, ["required"], ["rules_permit", "mail_stays_inside"])
	fixture.refuses("policy_data_is_loaded", fixture.call, lacking)
	fixture.because("policy_data_is_loaded", fixture.call, lacking) == {concat(" ", [
		"Requirement `mail_stays_inside` must be in force",
		"but is not in this bundle",
	])}
}

test_says_nothing_of_a_server_that_is_not_in_the_catalog if {
	unknown := fixture.changed(fixture.call, ["server", "id"], "github")
	not fixture.refuses("policy_data_is_loaded", unknown, fixture.bundle)
}

_parts := {
	["environment"],
	["environment", "name"],
	["environment", "default"],
	["required"],
	["index"],
	["index", "rules"],
	["index", "rules", "*"],
	["index", "rules", "*", "none"],
	["index", "rules", "*", "none", "any"],
	["index", "rules", "*", "none", "any", "look"],
}

_tells(_, _, policy) if fixture.refuses("policy_data_is_loaded", fixture.call, policy)

# A name may be any text.
_tells(["environment", "name"], "text", _)
