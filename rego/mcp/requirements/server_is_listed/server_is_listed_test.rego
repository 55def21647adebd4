package mcp.requirements.server_is_listed_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_an_entry_that_the_build_checked if {
	not _refused(fixture.bundle)
	every part, values in {
		"credential": [null, {"name": "slack", "per": "principal"}],
		"environment": [""],
		"tags": [[]],
		"large_results": [true],
	} {
		every value in values { not _refused(fixture.with_server(part, value)) }
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

test_refuses_an_entry_that_is_not_what_the_build_checked if {
	every part in object.keys(fixture.servers.slack) {
		path := ["catalog", "servers", "slack", part]
		_refused(fixture.without(fixture.bundle, path))
		every value in [null, 7, "x", ["x"], {}] { _refused(fixture.changed(fixture.bundle, path, value)) }
	}
	_refused(fixture.changed(fixture.bundle, ["catalog", "servers", "slack", "note"], "x"))
}

test_refuses_where_the_seal_is_gone if {
	_refused(fixture.without(fixture.bundle, ["index", "server_seals"]))
	_refused(fixture.without(fixture.bundle, ["index", "server_seals", "slack"]))
	_refused(fixture.changed(fixture.bundle, ["index", "server_seals", "slack"], null))
}

test_refuses_a_server_without_an_address if {
	_refused(fixture.with_server("url", ""))
}

_refused(policy) if fixture.refuses("server_is_listed", fixture.call, policy)

test_names_a_server_that_the_catalog_lacks if {
	elsewhere := fixture.changed(fixture.call, ["server", "id"], "github")
	fixture.because("server_is_listed", elsewhere, fixture.bundle) == {"Server `github` is not in the catalog"}
	fixture.because("server_is_listed", fixture.call, fixture.with_server("url", "")) == {concat(" ", [
		"The catalog entry of server `slack` has no address,",
		"or differs from the entry that the build checked",
	])}
}
