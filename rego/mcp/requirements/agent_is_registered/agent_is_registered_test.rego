package mcp.requirements.agent_is_registered_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_a_complete_registration if {
	not _refused(fixture.call, fixture.bundle)
	not _refused(fixture.call, _agent("expires", null))
	not _refused(fixture.call, _agent("labels", []))
}

test_refuses_a_registration_that_lacks_a_part if {
	every part in ["owner", "purpose", "kind", "labels", "expires"] {
		_refused(fixture.call, fixture.without(fixture.bundle, ["agents", "bot", part]))
		every value in ["", 7, false, {}] {
			_refused(fixture.call, fixture.changed(fixture.bundle, ["agents", "bot", part], value))
		}
	}
	every part in ["owner", "purpose", "kind", "expires"] {
		_refused(fixture.call, _agent(part, ""))
	}
}

test_refuses_a_registration_that_has_expired if {
	every moment in ["2026-11-20T14:00:00Z", "2026-11-20T14:59:59+01:00", "never"] {
		_refused(fixture.call, _agent("expires", moment))
	}
}

test_refuses_an_agent_that_is_not_there if {
	_refused(fixture.call, fixture.without(fixture.bundle, ["agents", "bot"]))
	_refused(fixture.call, fixture.without(fixture.bundle, ["agents"]))
	_refused(fixture.call, fixture.changed(fixture.bundle, ["agents", "bot"], "alice@example.com"))
	_refused(fixture.call, fixture.without(fixture.bundle, ["index", "credentials", "digest-of-token", "agent"]))
}

test_says_why_a_registration_is_not_in_force if {
	_because(fixture.with_agent("expires", "2026-01-01T00:00:00Z")) == {"The registration of agent `bot` has expired"}
	_because(fixture.without(fixture.bundle, ["agents", "bot"])) == {"No agent is registered for this credential"}
	_because(fixture.changed(fixture.bundle, ["agents", "bot", "kind"], "x")) == {concat(" ", [
		"The registration of agent `bot`",
		"differs from the one that the build checked",
	])}
}

test_says_that_groups_name_several_agents if {
	several := {concat(" ", [
		"The groups of this principal lead to several agents (bot, nobody),",
		"so it acts as none of them",
	])}
	every groups in [["support", "guests"], ["guests", "desk", "support", "others"]] {
		_of_groups({"subject": "sub-9", "groups": groups}) == several
		_of_groups({"client_id": "cli-9", "groups": groups}) == several
	}
	unknown := {"No agent is registered for this credential"}
	_of_groups({"subject": "sub-9", "groups": ["others"]}) == unknown
	_of_groups({"method": "token", "credential_sha256": "another", "groups": ["support", "guests"]}) == unknown
}

_of_groups(named) := fixture.because("agent_is_registered", _jwt(named), fixture.bundle)

_because(policy) := fixture.because("agent_is_registered", fixture.call, policy)

test_knows_the_agent_of_a_jwt_by_subject_then_client_then_groups if {
	every case in [
		{"named": {"subject": "sub-1", "client_id": "cli-2", "groups": ["guests"]}, "agent": "bot"},
		{"named": {"client_id": "cli-2", "groups": ["support"]}, "agent": "nobody"},
		{"named": {"subject": "sub-9", "groups": ["support", "desk", "others"]}, "agent": "bot"},
	] {
		fixture.decision(_jwt(case.named), fixture.bundle).resolved.agent.id == case.agent
	}
}

test_knows_the_anonymous_agent_of_nobody if {
	nobody := fixture.changed(fixture.call, ["principal", "method"], "none")
	not _refused(nobody, fixture.bundle)
	fixture.decision(nobody, fixture.bundle).resolved.agent.id == "nobody"
}

test_knows_no_agent_of_a_jwt_where_nothing_or_two_are_named if {
	every named in [
		{"subject": "sub-9"},
		{"groups": ["others"]},
		{"groups": ["support", "guests"]},
		{"subject": "sub-1", "issuer": "https://other.example"},
	] {
		_refused(_jwt(named), fixture.bundle)
	}
}

_agent(part, value) := fixture.with_agent(part, value)

_jwt(named) := fixture.changed(
	fixture.call, ["principal"],
	object.union(
		object.union(fixture.call.principal, {"method": "jwt", "issuer": "https://idp.example", "client_id": "cli-9"}),
		named,
	),
)

_refused(question, policy) if fixture.refuses("agent_is_registered", question, policy)
