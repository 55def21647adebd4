package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture

test_who_a_rule_is_about if {
	every who in [
		{},
		{"agents": ["bot"]},
		{"kinds": ["cursor", "claude-code"]},
		{"labels": ["support"]},
		{"owners": ["alice@example.com"]},
		{"groups": ["desk"]},
		{"agents": ["bot", "other"], "kinds": ["claude-code"], "groups": ["desk"]},
		{"kinds": ["claude-code"], "labels": ["x", "support"], "owners": ["alice@example.com"]},
	] {
		_concerned(_of_group, {"who": who})
	}
	every who in [
		{"agents": ["other"]},
		{"kinds": ["cursor"]},
		{"labels": ["sales"]},
		{"owners": ["bob@example.com"]},
		{"groups": ["sales"]},
		{"agents": ["bot"], "kinds": ["cursor"]},
		{"kinds": ["claude-code"], "labels": ["x"]},
		{"kinds": ["claude-code"], "owners": ["x"]},
		{"kinds": ["claude-code"], "groups": ["x"]},
	] {
		_unconcerned(_of_group, {"who": who})
	}
}

test_what_a_rule_is_about if {
	every what in [
		{},
		{"servers": ["slack"]},
		{"servers": ["git*", "sl*"]},
		{"server_tags": ["messaging"]},
		{"server_environments": ["production"]},
		{"tools": ["read_channel"]},
		{"tools": ["read_*"]},
		{"tools": ["rea?_channel"], "resources": ["x"]},
		{"tool_tags": ["chat", "mail"]},
		{"actions": ["read"]},
		{"servers": ["slack"], "server_tags": ["messaging"], "tool_tags": ["chat"], "actions": ["read", "write"]},
	] {
		_concerned(fixture.call, {"what": what})
	}
	every what in [
		{"tools": ["write_*"]},
		{"tools": ["READ_CHANNEL"]},
		{"resources": ["read_channel"]},
		{"prompts": ["*"], "resources": ["*"]},
		{"tool_tags": ["mail"]},
		{"actions": ["write"]},
		{"servers": ["slack"], "actions": ["write"]},
	] {
		_unconcerned(fixture.call, {"what": what})
	}
}

test_resources_are_matched_by_uri if {
	every what in [{"resources": ["slack://channels/*"]}, {"resources": ["*"], "tools": ["x"]}] {
		_concerned(fixture.resource("slack://channels/random"), {"what": what})
	}
	every what in [{"resources": ["slack://users/*"]}, {"tools": ["*"]}, {"prompts": ["*"]}] {
		_unconcerned(fixture.resource("slack://channels/random"), {"what": what})
	}
}

test_when_a_rule_is_in_force if {
	every when in [
		{"days": ["friday"]},
		{"hours": "14:00-14:01"},
		{"hours": "08:00-24:00"},
		{"hours": "22:00-14:01"},
		{"hours": "14:00-08:00"},
		{"hours": "15:00-15:01", "time_zone": "Europe/Zurich"},
		{"days": ["saturday"], "hours": "03:00-03:01", "time_zone": "Pacific/Auckland"},
		{"days": ["thursday", "friday"], "hours": "09:00-17:00"},
	] {
		_concerned(fixture.call, {"when": when})
	}
	every when in [
		{"days": ["saturday"]},
		{"hours": "13:00-14:00"},
		{"hours": "15:00-16:00"},
		{"hours": "14:01-14:00"},
		{"hours": "14:00-14:00"},
		{"hours": "00:00-00:00"},
		{"hours": "14:00-14:01", "time_zone": "Europe/Zurich"},
		{"days": ["friday"], "hours": "15:00-08:00"},
	] {
		_unconcerned(fixture.call, {"when": when})
	}
}

test_hours_are_those_of_the_environment_where_the_rule_names_no_zone if {
	local := fixture.changed(
		fixture.with_rule(_rule({"effect": "deny", "when": {"hours": "15:00-15:01"}})),
		["environment", "time_zone"], "Europe/Zurich",
	)
	_refused(fixture.call, local)
	ours := fixture.with_rule(_rule({
		"effect": "deny",
		"when": {"hours": "15:00-15:01"},
		"who": {"agents": ["bot"], "kinds": ["claude-code"]},
	}))
	allowing := _indexed([_rule({"effect": "allow", "when": {"hours": "14:00-14:01"}})], ["x"])
	not _refused(fixture.call, allowing)
	every zone in ["Europe/Zurick", "", null, 7] {
		_refused(fixture.call, fixture.changed(local, ["environment", "time_zone"], zone))
		_refused(fixture.call, fixture.changed(ours, ["environment", "time_zone"], zone))
		_refused(fixture.call, fixture.changed(allowing, ["environment", "time_zone"], zone))
	}
}

test_a_rule_ends_when_it_expires if {
	_concerned(fixture.call, {"expires": "2026-11-20T14:00:01Z"})
	_concerned(fixture.call, {"expires": "2026-11-20T14:00:01Z", "reason": "For a while."})
	_unconcerned(fixture.call, {"expires": "2026-11-20T14:00:00Z"})
}

test_messages_without_target_need_a_rule_that_gives_something_on_the_server if {
	every method in ["initialize", "tools/list", "subscriptions/listen"] {
		question := fixture.message(method)
		every what in [{}, {"servers": ["slack"]}, {"tools": ["x"]}, {"actions": ["write"]}, {"tool_tags": ["x"]}] {
			not _refused(question, _indexed([_rule({"effect": "allow", "what": what})], ["x"]))
			conditional := {"effect": "allow", "what": what, "arguments": [{"path": "/a", "equals": "b"}]}
			not _refused(question, _indexed([_rule(conditional)], ["x"]))
		}
		every scope in [
			{"who": {"agents": ["other"]}},
			{"when": {"days": ["monday"]}},
			{"expires": "2020-01-01T00:00:00Z"},
		] {
			_refused(question, _indexed([_rule(object.union({"effect": "allow"}, scope))], ["x"]))
		}
	}
}

test_messages_without_target_are_refused_by_what_refuses_the_whole_server if {
	question := fixture.message("initialize")
	every what in [{}, {"servers": ["slack"]}, {"server_environments": ["production"]}] {
		_refused(question, fixture.with_rule(_rule({"effect": "deny", "what": what})))
		conditional := {"effect": "deny", "what": what, "arguments": [{"path": "/a", "equals": "b"}]}
		not _refused(question, fixture.with_rule(_rule(conditional)))
	}
	every what in [{"tools": ["*"]}, {"actions": ["read"]}, {"tool_tags": ["x"]}, {"resources": ["*"]}] {
		not _refused(question, fixture.with_rule(_rule({"effect": "deny", "what": what})))
	}
}

test_messages_without_target_are_let_in_by_what_is_held if {
	every change in [{}, {"what": {"actions": ["delete"]}}, {"arguments": [{"path": "/a", "equals": "b"}]}] {
		held := _indexed([_rule(object.union({"effect": "hold", "reason": "A person looks first."}, change))], ["x"])
		every method in ["initialize", "tools/list", "server/discover", "stream/open"] {
			decision := fixture.decision(fixture.message(method), held)
			decision.outcome == "allow"
			decision.route
			decision.grounds == [{
				"rule": "x",
				"effect": "allow",
				"owner": fixture.rule.owner,
				"because": "The rule holds calls for approval, and the callers may connect and list: A person looks first.",
				"expires": null,
			}]
		}
	}
}

test_what_permits_a_message_without_target_is_its_grounds_before_what_is_held if {
	question := fixture.message("initialize")
	held := _rule({"effect": "hold"})
	_grounds(question, _indexed([held], ["x", "slack-is-read"])) == ["slack-is-read"]
	open := fixture.changed(_indexed([held], ["x"]), ["environment", "default"], "allow")
	_grounds(question, open) == ["default"]
	every grounds in [_effects(question, _indexed([held], ["x", "slack-is-read"])), _effects(question, open)] {
		grounds == ["allow"]
	}
}

test_a_hold_that_lets_connect_holds_its_calls if {
	held := _indexed([_rule({"effect": "hold"})], ["x"])
	decision := fixture.decision(fixture.call, held)
	decision.outcome == "hold"
	not decision.route
	_effects(fixture.call, held) == ["hold"]
}

_effects(question, policy) := [ground.effect | some ground in fixture.decision(question, policy).grounds]

# True if a rule with this change refuses as a denial and permits as the only permission.
_concerned(question, change) if {
	_refused(question, fixture.with_rule(_rule(object.union({"effect": "deny"}, change))))
	not _refused(question, _indexed([_rule(object.union({"effect": "allow"}, change))], ["x"]))
}

_unconcerned(question, change) if {
	not _refused(question, fixture.with_rule(_rule(object.union({"effect": "deny"}, change))))
	_refused(question, _indexed([_rule(object.union({"effect": "allow"}, change))], ["x"]))
}
