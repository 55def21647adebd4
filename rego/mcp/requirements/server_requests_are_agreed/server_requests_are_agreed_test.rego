package mcp.requirements.server_requests_are_agreed_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_messages_of_the_client if {
	every question in [fixture.call, fixture.message("tools/list"), fixture.resource("slack://channels/general")] {
		not _refused(question, fixture.bundle)
	}
}

test_takes_what_the_catalog_agrees_to_and_the_answer_to_it if {
	asked := fixture.of_server("roots/list")
	not _refused(asked, fixture.bundle)
	not _refused(fixture.changed(asked, ["message", "kind"], "response"), fixture.bundle)
}

test_takes_the_capabilities_of_the_server_itself if {
	every name in ["tools", "prompts", "resources", "completions", "logging"] {
		not _refused(fixture.changed(fixture.message("tools/list"), ["target", "name"], name), fixture.bundle)
	}
	_refused(fixture.changed(fixture.message("tools/list"), ["target", "name"], "sampling"), fixture.bundle)
}

test_refuses_and_names_what_the_catalog_does_not_agree_to if {
	every method in ["sampling/createMessage", "elicitation/create"] {
		_refused(fixture.of_server(method), fixture.bundle)
		fixture.because("server_requests_are_agreed", fixture.of_server(method), fixture.bundle) == {sprintf(
			"The catalog does not allow server `slack` to send the request `%s`",
			[method],
		)}
	}
}

test_refuses_where_the_agreement_is_damaged if {
	path := ["catalog", "servers", "slack", "server_requests"]
	_refused(fixture.of_server("roots/list"), fixture.without(fixture.bundle, path))
	every value in [null, "roots/list", true, {"roots/list": true}] {
		_refused(fixture.of_server("roots/list"), fixture.changed(fixture.bundle, path, value))
	}
	_refused(fixture.without(fixture.message("tools/list"), ["target", "name"]), fixture.bundle)
}

_refused(question, policy) if fixture.refuses("server_requests_are_agreed", question, policy)
