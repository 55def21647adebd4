package mcp.requirements.message_is_known_test

import data.mcp.lib.fixture_test as fixture
import data.mcp.lib.messages

test_is_met_by_each_method_with_its_kind_and_target if {
	every method, row in messages.methods {
		every kind in row.kinds {
			every type in row.targets { not _refused(_stated(method, kind, _targets[type])) }
		}
	}
}

test_refuses_each_method_with_another_kind_or_target if {
	every method, row in messages.methods {
		every kind in {"request", "notification", "response"} - row.kinds {
			every type in row.targets { _refused(_stated(method, kind, _targets[type])) }
		}
		every type in {"tool", "resource", "prompt", "task", "none"} - row.targets {
			_refused(_stated(method, "request", _targets[type]))
		}
	}
}

test_refuses_a_target_without_a_name if {
	every method, target in {
		"tools/call": {"type": "tool", "name": null, "uri": "x"},
		"prompts/get": {"type": "prompt", "name": null, "uri": null},
		"tasks/get": {"type": "task", "name": 7, "uri": null},
		"resources/read": {"type": "resource", "name": "x", "uri": null},
		"tools/list": {"type": "none", "name": "roots/list", "uri": null},
	} {
		_refused(_stated(method, "request", target))
	}
}

test_refuses_methods_that_nobody_knows if {
	every method in ["tools/exec", "", "TOOLS/CALL", "notifications/x", "tools/call "] {
		every target in _targets { _refused(_stated(method, "request", target)) }
	}
}

test_knows_what_servers_ask_of_clients_by_the_stated_name if {
	every method in messages.of_server {
		named := {"type": "none", "name": method, "uri": null}
		every kind in {"request", "response"} { not _refused(_stated(method, kind, named)) }
		_refused(_stated(method, "notification", named))
		_refused(_stated(method, "request", _targets.none))
		every other in messages.of_server - {method} { _refused(_stated(other, "request", named)) }
	}
}

test_knows_the_capabilities_of_servers_by_their_own_method_only if {
	every method, name in messages.capabilities {
		named := {"type": "none", "name": name, "uri": null}
		not _refused(_stated(method, "request", named))
		every kind in {"notification", "response"} { _refused(_stated(method, kind, named)) }
		every other in object.keys(messages.capabilities) - {method} { _refused(_stated(other, "request", named)) }
		_refused(_stated(method, "request", object.union(named, {"type": "tool"})))
		_refused(fixture.changed(_stated(method, "request", named), ["schema"], "mcp.input/v2"))
	}
}

test_a_name_makes_no_method_known if {
	every method in ["tools/exec", "tools/list", "initialize"] {
		_refused(_stated(method, "request", {"type": "none", "name": method, "uri": null}))
	}
	every type in ["tool", "prompt", "task", "resource"] {
		_refused(_stated("roots/list", "request", {"type": type, "name": "roots/list", "uri": "x"}))
	}
}

test_refuses_questions_of_another_schema if {
	every question in [
		fixture.changed(fixture.call, ["schema"], "mcp.input/v2"),
		fixture.without(fixture.call, ["schema"]),
		fixture.changed(fixture.of_server("roots/list"), ["schema"], "mcp.input/v2"),
	] {
		_refused(question)
	}
}

_targets := {
	"tool": {"type": "tool", "name": "read_channel", "uri": null},
	"resource": {"type": "resource", "name": null, "uri": "slack://channels/general"},
	"prompt": {"type": "prompt", "name": "greet", "uri": null},
	"task": {"type": "task", "name": "t-1", "uri": null},
	"none": {"type": "none", "name": null, "uri": null},
}

_stated(method, kind, target) := json.patch(fixture.call, [
	{"op": "replace", "path": ["message", "method"], "value": method},
	{"op": "replace", "path": ["message", "kind"], "value": kind},
	{"op": "replace", "path": ["target"], "value": target},
])

_refused(question) if fixture.refuses("message_is_known", question, fixture.bundle)

test_names_the_method_that_it_does_not_know if {
	question := _stated("tools/exec", "request", _targets.tool)
	fixture.because("message_is_known", question, fixture.bundle) == {"Method `tools/exec` is unknown, or is not allowed for this kind of message or type of target"}
}
