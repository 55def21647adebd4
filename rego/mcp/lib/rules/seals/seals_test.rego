package mcp.lib.rules.seals_test

import data.mcp.lib.fixture_test as fixture
import data.mcp.lib.rules.seals

test_finds_every_rule_that_does_not_fit_its_seal if {
	_broken(fixture.bundle) == set()
	_broken(fixture.changed(fixture.bundle, ["rules", "slack-is-kept", "effect"], "allow")) == {"slack-is-kept"}
	_broken(fixture.without(fixture.bundle, ["index", "seals", "slack-is-read"])) == {"slack-is-read"}
}

test_a_seal_is_over_the_json_with_sorted_keys if {
	seals.fits("x", {"b": [1, "<é>"], "a": null}) with data.index.seals.x as crypto.sha256(`{"a":null,"b":[1,"\u003cé\u003e"]}`)
}

_broken(policy) := ids if {
	ids := seals.broken with data.rules as policy.rules
		with data.index as policy.index
}
