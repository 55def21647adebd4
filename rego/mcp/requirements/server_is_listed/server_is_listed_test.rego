package mcp.requirements.server_is_listed_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_a_complete_entry if {
	not _refused(fixture.bundle)
	every part, values in {
		"credential": [null, {"name": "slack", "per": "principal"}],
		"environment": [""],
		"tags": [[]],
		"large_results": [true],
	} {
		every value in values { not _refused(_server(part, value)) }
	}
}

test_refuses_a_server_that_is_not_there if {
	every path in [["catalog"], ["catalog", "servers"], ["catalog", "servers", "slack"]] {
		_refused(fixture.without(fixture.bundle, path))
		every value in [null, false, 7, "https://mcp.slack.example/mcp", []] {
			_refused(fixture.changed(fixture.bundle, path, value))
		}
	}
}

test_refuses_an_entry_that_lacks_a_part if {
	every part in ["url", "environment", "tags", "credential", "timeout_s", "large_results"] {
		_refused(fixture.without(fixture.bundle, ["catalog", "servers", "slack", part]))
	}
}

test_refuses_an_entry_with_a_damaged_part if {
	every part, values in {
		"url": [null, 7, "", "ftp://x", "https://", "//x"],
		"environment": [null, 7],
		"tags": [null, "messaging"],
		"credential": ["slack", {}, {"name": "slack"}, {"name": "", "per": "shared"}, {"name": "s", "per": "all"}],
		"timeout_s": [null, "60"],
		"large_results": [null, "true"],
	} {
		every value in values { _refused(_server(part, value)) }
	}
}

_server(part, value) := fixture.changed(fixture.bundle, ["catalog", "servers", "slack", part], value)

_refused(policy) if "server_is_listed" in fixture.unmet(fixture.call, policy)
