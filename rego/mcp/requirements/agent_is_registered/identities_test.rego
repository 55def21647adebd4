package mcp.requirements.agent_is_registered_test

import data.mcp.lib.fixture_test as fixture
import data.mcp.lib.principal

# Every combination of fields that an identity may state, each with its own agent, the most specific first.
_shapes := [
	["subject", "client_id", "group"],
	["subject", "client_id"],
	["subject", "group"],
	["subject"],
	["client_id", "group"],
	["client_id"],
	["group"],
]

_whole := {"subject": "s", "client_id": "c", "groups": ["other", "g"]}

_texts := {"subject": "s", "client_id": "c", "group": "g"}

_fields := {"subject": "subject", "client_id": "client_id", "group": "groups"}

test_all_that_an_identity_states_has_to_match if {
	every shape in _shapes {
		policy := _policy([[shape, "bot"]])
		_resolved(_whole, policy) == "bot"
		every stated in shape {
			other := {"subject": "S", "client_id": "C", "group": ["G", "other"]}[stated]
			_resolved(object.union(_whole, {_fields[stated]: other}), policy) == null
		}
	}
}

test_the_most_specific_identity_that_fits_counts if {
	every higher, shape in _shapes {
		every lower, wider in _shapes {
			_resolved_of_two(higher, shape, lower, wider) == "bot"
		}
	}
}

_resolved_of_two(higher, shape, lower, wider) := _resolved(_whole, _policy([[shape, "bot"], [wider, "nobody"]])) if {
	higher < lower
} else := "bot"

test_an_unknown_claim_is_no_match if {
	every shape in _shapes {
		policy := _policy([[shape, "bot"]])
		every stated in shape { _resolved(_lacking(_fields[stated]), policy) == null }
		every field in {"subject", "client_id", "groups", "scopes"} - {_fields[stated] | some stated in shape} {
			_resolved(_lacking(field), policy) == "bot"
		}
	}
}

test_a_wider_identity_does_not_count_while_a_more_specific_one_may_fit if {
	every number, shape in _shapes {
		every wider in array.slice(_shapes, number + 1, 7) {
			policy := _policy([[shape, "bot"], [wider, "nobody"]])
			every stated in shape { not _resolved(_lacking(_fields[stated]), policy) == "nobody" }
			same := _policy([[shape, "bot"], [wider, "bot"]])
			lacking := {stated | some stated in shape} - {stated | some stated in wider}
			every stated in lacking { _resolved(_lacking(_fields[stated]), same) == "bot" }
		}
	}
}

test_an_identity_that_surely_does_not_fit_leaves_others_alone if {
	elsewhere := fixture.with_identities({
		"client_id": {"c": "bot"},
		"combined": {"": {"C": {"g": "nobody"}}, "t": {"c": {"": "nobody"}, "": {"g": "nobody"}}},
	})
	_resolved(_lacking("groups"), elsewhere) == "bot"
	_resolved(_whole, elsewhere) == "bot"
	_resolved(_lacking("subject"), elsewhere) == null
}

test_two_agents_of_equally_specific_identities_are_none if {
	every combined in [
		{"s": {"c": {"g": "bot", "other": "nobody"}}},
		{"s": {"": {"g": "bot", "other": "nobody"}}},
		{"": {"c": {"g": "bot", "other": "nobody"}}},
	] {
		policy := fixture.with_identities({"combined": combined, "group": {"g": "bot"}})
		_resolved(_whole, policy) == null
		_resolved(object.union(_whole, {"groups": ["g"]}), policy) == "bot"
	}
}

test_identities_that_are_damaged_name_nobody if {
	policy := _policy([[["client_id"], "bot"]])
	_resolved(_whole, policy) == "bot"
	path := ["index", "identities", "https://idp.example", "combined"]
	every damaged in [fixture.without(policy, path), fixture.changed(policy, path, null)] { _resolved(_whole, damaged) == null }
	_resolved(object.union(_whole, {"subject": "", "client_id": "", "groups": [""]}), fixture.with_identities({
		"group": {"": "bot"},
		"combined": {"": {"": {"": "bot"}}},
	})) == null
}

test_says_which_claim_leaves_the_agent_open if {
	policy := _policy([[["group"], "bot"]])
	[said] := [text | some text in fixture.because("agent_is_registered", fixture.jwt(_lacking("groups")), policy)]
	said == concat(" ", [
		"The policy cannot determine which agent the token belongs to. The groups could not be read from the token:",
		"its issuer must list them in the claim that `groups_claim` names in the settings of the gateway",
	])
}

_policy(identities) := fixture.changed(fixture.bundle, ["index", "identities", "https://idp.example"], {
	"subject": _single(identities, "subject"),
	"client_id": _single(identities, "client_id"),
	"group": _single(identities, "group"),
	"combined": object.union_n([{_stated(shape, "subject"): {_stated(shape, "client_id"): {_stated(shape, "group"): agent}}} |
		some [shape, agent] in identities
		count(shape) > 1
	]),
})

_single(identities, field) := {_texts[field]: agent | some [shape, agent] in identities; shape == [field]}

_stated(shape, field) := _texts[field] if {
	field in shape
} else := ""

_lacking(field) := object.union(_whole, {
	field: {"subject": null, "client_id": null, "groups": [], "scopes": []}[field],
	"unknown": [field],
})

_resolved(named, policy) := id if {
	id := principal.agent_id with input as fixture.jwt(named)
		with data.index as policy.index
} else := null
