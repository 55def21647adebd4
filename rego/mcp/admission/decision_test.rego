package mcp.admission_test

import data.mcp.lib.fixture_test as fixture

test_a_clean_allow_says_everything_that_is_needed if {
	fixture.decision(fixture.call, fixture.bundle) == {
		"schema": "mcp.decision/v1",
		"outcome": "allow",
		"reasons": [],
		"grounds": [_reading],
		"warnings": [],
		"shadow": [],
		"obligations": [],
		"labels": {"add": []},
		"resolved": _resolved,
		"observe": false,
		"reads": [],
		"record": "",
		"route": _route,
	}
}

test_the_record_is_told_what_the_catalog_wants_of_the_arguments if {
	on_server := _recording(["catalog", "servers", "slack", "record"], "masked")
	on_target := _recording(["catalog", "targets", "slack", "tools", "post_message", "record"], "digest")
	both := json.patch(on_server, [{"op": "add", "path": _of_target, "value": {"arguments": "full"}}])
	fixture.decision(fixture.tool("post_message"), fixture.bundle).record == ""
	fixture.decision(fixture.tool("post_message"), on_server).record == "masked"
	fixture.decision(fixture.tool("post_message"), on_target).record == "digest"
	fixture.decision(fixture.tool("delete_message"), on_target).record == ""
	fixture.decision(fixture.tool("post_message"), both).record == "full"
	fixture.decision(fixture.tool("unknown"), both).record == "masked"
}

_of_target := ["catalog", "targets", "slack", "tools", "post_message", "record"]

_recording(path, word) := json.patch(fixture.bundle, [{"op": "add", "path": path, "value": {"arguments": word}}])

test_the_record_is_told_what_the_policy_reads_on_this_server if {
	reads := {"*": ["/context/headers"], "slack": ["/arguments/to"]}
	policy := json.patch(fixture.bundle, [{"op": "add", "path": ["index", "reads"], "value": reads}])
	fixture.decision(fixture.call, policy).reads == ["/arguments/to"]
	fixture.decision(fixture.tool("hidden"), policy).reads == ["/arguments/to"]
	elsewhere := fixture.changed(fixture.call, ["server", "id"], "github")
	fixture.decision(elsewhere, policy).reads == ["/context/headers"]
}

test_a_bundle_that_does_not_say_what_it_reads_lets_nothing_be_kept if {
	every reads in [{}, {"*": "/arguments"}, {"slack": {"*": []}}, 7] {
		policy := json.patch(fixture.bundle, [{"op": "add", "path": ["index", "reads"], "value": reads}])
		decision := fixture.decision(fixture.call, policy)
		decision.outcome == "allow"
		decision.reads == []
	}
}

test_a_refusal_gives_reasons_and_no_route if {
	unlisted := fixture.tool("hidden")
	decision := fixture.decision(unlisted, fixture.bundle)
	decision.outcome == "deny"
	not decision.route
	{
		"requirement": "target_is_listed",
		"message": "The catalog does not list tool `hidden` of server `slack`",
		"severity": "high",
		"remedy": "Ask for a review.",
	} in decision.reasons
	decision.resolved.action == "unknown"
	decision.resolved.action_source == "default"
}

test_what_only_follows_from_another_reason_is_not_given if {
	unlisted := object.union(fixture.tool("hidden"), {"definition": null})
	stranger := fixture.changed(fixture.call, ["principal", "credential_sha256"], "another")
	elsewhere := fixture.changed(fixture.call, ["server", "id"], "github")
	narrow := fixture.with_agent("scope", {"servers": ["mail"], "actions": ["*"]})
	reading := fixture.with_agent("scope", {"servers": ["*"], "actions": ["read"]})
	every case in [
		{"question": unlisted, "policy": fixture.bundle, "given": {"target_is_listed"}},
		{"question": unlisted, "policy": reading, "given": {"target_is_listed"}},
		{"question": unlisted, "policy": narrow, "given": {"target_is_listed", "agent_stays_in_scope"}},
		{"question": elsewhere, "policy": fixture.bundle, "given": {"server_is_listed"}},
		{"question": elsewhere, "policy": narrow, "given": {"server_is_listed", "agent_stays_in_scope"}},
		{"question": stranger, "policy": fixture.bundle, "given": {"principal_is_verified", "agent_is_registered"}},
	] {
		decision := fixture.decision(case.question, case.policy)
		decision.outcome == "deny"
		decision.grounds == []
		{reason.requirement | some reason in decision.reasons} == case.given
	}
}

test_a_reason_is_given_where_the_other_one_does_not_refuse if {
	entry := {"target_is_listed": object.union(_entry, {"mode": "warn"})}
	decision := fixture.decision(fixture.tool("hidden"), fixture.changed(fixture.bundle, ["enforcement"], entry))
	decision.outcome == "deny"
	"rules_permit" in {reason.requirement | some reason in decision.reasons}
	[ground.rule | some ground in decision.grounds] == ["slack-is-kept"]
}

test_a_requirement_that_the_bundle_does_not_describe_is_of_high_severity if {
	every about in [{}, {"rules_permit": null}, {"rules_permit": {"severity": "x", "remedy": 7, "description": 7}}] {
		policy := fixture.changed(fixture.bundle, ["requirements"], about)
		decision := fixture.decision(fixture.tool("delete_message"), policy)
		decision.reasons == [{
			"requirement": "rules_permit",
			"message": "Rule `slack-is-kept`: Messages are kept.",
			"severity": "high",
			"remedy": "Notify the owner of the policy.",
		}]
	}
}

test_a_held_message_says_which_rule_holds_it if {
	decision := fixture.decision(_post, fixture.bundle)
	decision.outcome == "hold"
	not decision.route
	[reason.message | some reason in decision.reasons] == ["Rule `slack-posts-wait`: A person looks first."]
	[ground.rule | some ground in decision.grounds] == ["slack-posts-wait"]
	decision.warnings == []
	decision.shadow == []
}

test_arguments_that_are_refused_are_a_deny if {
	mismatch := fixture.changed(fixture.call, ["arguments_meta", "schema"], "mismatch")
	decision := fixture.decision(mismatch, fixture.bundle)
	decision.outcome == "deny"
	{reason.requirement | some reason in decision.reasons} == {"arguments_match_the_schema"}
}

test_deny_beats_hold_and_tells_both if {
	outside := fixture.with_agent("scope", {"servers": ["*"], "actions": ["read"]})
	decision := fixture.decision(_post, outside)
	decision.outcome == "deny"
	{reason.requirement | some reason in decision.reasons} == {"agent_stays_in_scope", "rules_permit"}
}

test_a_requirement_in_a_mode_is_taken_less_strictly if {
	every mode, expected in {"warn": "allow", "shadow": "allow", "hold": "hold"} {
		decision := fixture.decision(_outside, _relaxing("agent_stays_in_scope", {"mode": mode}))
		decision.outcome == expected
		_reported[mode] == [place |
			some place in ["reasons", "shadow", "warnings"]
			some reason in decision[place]
			reason.requirement == "agent_stays_in_scope"
		]
	}
}

test_a_hold_stays_one_where_the_rules_are_not_enforced if {
	every mode in ["warn", "shadow"] {
		relaxed := {"agent_stays_in_scope": _held, "rules_permit": object.union(_entry, {"mode": mode})}
		decision := fixture.decision(_outside, fixture.changed(_narrow, ["enforcement"], relaxed))
		decision.outcome == "hold"
		{reason.requirement | some reason in decision.reasons} == {"agent_stays_in_scope"}
	}
}

test_a_mode_that_is_not_answered_for_is_deny if {
	every change in [
		{"mode": "allow"},
		{"mode": null},
		{"owner": ""},
		{"owner": null},
		{"reason": ""},
		{"reason": 7},
		{"expires": null},
		{"expires": "2026-11-20T14:00:00Z"},
		{"expires": "soon"},
	] {
		fixture.decision(_outside, _relaxing("agent_stays_in_scope", change)).outcome == "deny"
	}
	fixture.decision(_outside, fixture.changed(_narrow, ["enforcement"], {"agent_stays_in_scope": "shadow"})).outcome == "deny"
}

test_six_requirements_are_always_deny if {
	every name in _always {
		policy := fixture.changed(fixture.bundle, ["enforcement"], {name: _entry})
		every observe in [null, object.remove(_entry, ["mode"])] {
			observed := fixture.changed(policy, ["environment", "observe"], observe)
			fixture.judged(fixture.call, observed, {name}, set()).outcome == "deny"
		}
	}
}

test_rules_that_are_not_enforced_still_leave_grounds if {
	every mode, place in {"warn": "warnings", "shadow": "shadow"} {
		decision := fixture.decision(fixture.tool("delete_message"), _enforcing("rules_permit", {"mode": mode}))
		decision.outcome == "allow"
		decision.grounds == [{
			"rule": "enforcement",
			"effect": "allow",
			"owner": "alice@example.com",
			"because": "Moving.",
			"expires": "2026-12-01T00:00:00Z",
		}]
		[reason.message | some reason in decision[place]] == ["Rule `slack-is-kept`: Messages are kept."]
	}
}

test_observing_that_has_ended_gives_no_grounds if {
	ended := fixture.changed(
		_enforcing("rules_permit", {"mode": "warn"}),
		["environment", "observe"],
		{"owner": "x", "reason": "x", "expires": "2026-01-01T00:00:00Z"},
	)
	fixture.decision(fixture.tool("delete_message"), ended).grounds[0].rule == "enforcement"
}

test_a_hold_of_the_rules_is_taken_like_their_refusal if {
	every mode, place in {"warn": "warnings", "shadow": "shadow"} {
		decision := fixture.decision(_post, _enforcing("rules_permit", {"mode": mode}))
		decision.outcome == "allow"
		decision.grounds[0].rule == "enforcement"
		[reason.message | some reason in decision[place]] == ["Rule `slack-posts-wait`: A person looks first."]
	}
	fixture.decision(_post, _enforcing("rules_permit", {"mode": "hold"})).outcome == "hold"
	fixture.decision(fixture.tool("delete_message"), _enforcing("rules_permit", {"mode": "hold"})).outcome == "hold"
}

test_observing_lets_pass_and_says_what_would_be_refused if {
	observed := _observing({})
	decision := fixture.decision(fixture.tool("delete_message"), observed)
	decision.outcome == "allow"
	decision.observe
	decision.route == _route
	[reason.requirement | some reason in decision.shadow] == ["rules_permit"]
	decision.grounds == [{
		"rule": "observe",
		"effect": "allow",
		"owner": "alice@example.com",
		"because": "Moving.",
		"expires": "2026-12-01T00:00:00Z",
	}]
	clean := fixture.decision(fixture.call, observed)
	clean.observe
	clean.grounds == [_reading]
}

# Otherwise another deny rule would admit messages that no rule permits.
test_what_no_rule_permits_is_taken_like_what_a_rule_refuses if {
	deny := object.union(fixture.rule, {"rule": "x", "effect": "deny"})
	observe := object.remove(_entry, ["mode"])
	every policy in [fixture.with_rules([], []), fixture.with_rules([deny], ["x"])] {
		fixture.decision(fixture.call, policy).outcome == "deny"
		observed := fixture.decision(fixture.call, fixture.changed(policy, ["environment", "observe"], observe))
		observed.outcome == "allow"
		[ground.rule | some ground in observed.grounds] == ["observe"]
		[reason.requirement | some reason in observed.shadow] == ["rules_permit"]
		every mode, expected in {"warn": "allow", "shadow": "allow", "hold": "hold"} {
			entry := {"rules_permit": object.union(_entry, {"mode": mode})}
			fixture.decision(fixture.call, fixture.changed(policy, ["enforcement"], entry)).outcome == expected
		}
	}
}

test_observing_ends_and_lasts_thirty_days_at_most if {
	every change in [
		{"owner": ""},
		{"reason": null},
		{"expires": "2026-11-20T14:00:00Z"},
		{"expires": "2026-12-20T14:00:00.000000001Z"},
		{"expires": null},
	] {
		decision := fixture.decision(fixture.tool("delete_message"), _observing(change))
		decision.outcome == "deny"
		decision.observe == false
	}
	fixture.decision(fixture.call, _observing({"expires": "2026-12-20T14:00:00Z"})).observe
}

test_a_tolerated_change_of_the_definition_is_a_warning if {
	changed := fixture.changed(fixture.call, ["definition", "parts", "inputSchema"], "new")
	drifted := fixture.changed(changed, ["definition", "sha256"], "new")
	decision := fixture.decision(drifted, fixture.with_server("definition_drift", {"schema": "warn"}))
	decision.outcome == "allow"
	decision.resolved.pin == "drift"
	[reason.message | some reason in decision.warnings] == ["The server changed the definition since it was reviewed (schema)"]
	quiet := fixture.decision(drifted, fixture.with_server("definition_drift", {"schema": "allow"}))
	quiet.outcome == "allow"
	quiet.warnings == []
}

test_an_allow_without_grounds_or_route_is_a_deny if {
	bare := fixture.with_rules([], [])
	nowhere := fixture.without(fixture.bundle, ["catalog", "servers", "slack"])
	astray := fixture.changed(fixture.bundle, ["catalog", "servers", "slack", "url"], "https://elsewhere.example")
	every policy in [bare, nowhere, astray] {
		decision := fixture.judged(fixture.call, policy, set(), set())
		decision.outcome == "deny"
		not decision.route
		[reason.message | some reason in decision.reasons] == ["Nothing was found that allows this"]
	}
}

test_what_is_not_known_is_null_in_the_record if {
	stranger := fixture.changed(fixture.call, ["principal", "credential_sha256"], "another")
	elsewhere := fixture.changed(stranger, ["server", "id"], "github")
	fixture.decision(elsewhere, fixture.bundle).resolved == {
		"agent": null,
		"server": null,
		"action": "unknown",
		"action_source": "default",
		"pin": "unseen",
		"data": null,
		"reach": null,
	}
}

test_what_is_damaged_is_not_repeated_in_the_record if {
	damaged := json.patch(fixture.bundle, [
		{"op": "replace", "path": ["agents", "bot", "owner"], "value": 7},
		{"op": "remove", "path": ["agents", "bot", "kind"]},
		{"op": "replace", "path": ["catalog", "servers", "slack", "trust"], "value": 7},
	])
	resolved := fixture.decision(fixture.call, damaged).resolved
	resolved.agent == {"id": "bot", "owner": "", "purpose": "Answers support tickets", "kind": ""}
	resolved.server == {"id": "slack", "trust": "", "owner": "alice@example.com"}
	nobodys := fixture.changed(damaged, ["catalog", "servers", "slack", "owner"], 7)
	fixture.decision(fixture.call, nobodys).resolved.server.owner == ""
}

test_a_text_that_is_none_is_not_repeated_in_the_record if {
	damaged := fixture.changed(fixture.bundle, ["agents", "bot", "owner"], 7)
	fixture.decision(fixture.call, damaged).resolved.agent.owner == ""
}

test_a_refusal_does_not_ask_for_approval if {
	silent := object.union(fixture.rules["slack-is-kept"], {"reason": ""})
	decision := fixture.decision(fixture.tool("delete_message"), fixture.with_rules([silent], ["slack-is-kept"]))
	[reason.message | some reason in decision.reasons] == ["Rule `slack-is-kept` refuses this"]
}

test_a_requirement_that_gives_no_reason_is_described if {
	decision := fixture.judged(fixture.call, fixture.bundle, {"a_new_one"}, set())
	[reason.message | some reason in decision.reasons] == ["This requirement is not met: a_new_one"]
}

test_every_requirement_has_its_lines if {
	fixture.stock - data.mcp.admission.names == set()
	fixture.unmet({}, {"emergency": {}}) == fixture.stock - {"arguments_match_the_schema"}
	fixture.unmet_by_arguments({}, {}) == {"arguments_match_the_schema", "rules_permit"}
	every name in fixture.stock { is_set(fixture.because(name, fixture.tool("hidden"), fixture.bundle)) }
}

test_all_is_met_where_nothing_is_unmet if {
	fixture.unmet(fixture.call, fixture.bundle) == set()
	fixture.unmet_by_arguments(fixture.call, fixture.bundle) == set()
	_is_met_or_has_more
}

# The requirements of a policy repository are judged with the stock requirements, and its fixture need not meet them.
_is_met_or_has_more if fixture.meets_everything(fixture.call, fixture.bundle)

_is_met_or_has_more if count(data.mcp.admission.names) > count(fixture.stock)

_resolved := {
	"agent": {
		"id": "bot",
		"owner": "alice@example.com",
		"purpose": "Answers support tickets",
		"kind": "claude-code",
	},
	"server": {"id": "slack", "trust": "low", "owner": "alice@example.com"},
	"action": "read",
	"action_source": "catalog",
	"pin": "match",
	"data": null,
	"reach": null,
}

_reading := {
	"rule": "slack-is-read",
	"effect": "allow",
	"owner": "alice@example.com",
	"because": "Reading harms nobody.",
	"expires": null,
}

_route := {
	"url": "https://mcp.slack.example/mcp",
	"credential": {"name": "slack", "per": "shared"},
	"timeout_s": 60,
	"large_results": false,
	"check_output": false,
	"instructions": "text",
	"normal_uris": true,
}

_always := {
	"policy_data_is_loaded",
	"message_is_known",
	"principal_is_verified",
	"agent_is_registered",
	"server_is_listed",
	"nothing_is_stopped",
}

_reported := {"warn": ["warnings"], "shadow": ["shadow"], "hold": ["reasons"]}

_entry := {
	"mode": "shadow",
	"owner": "alice@example.com",
	"reason": "Moving.",
	"expires": "2026-12-01T00:00:00Z",
}

_held := object.union(_entry, {"mode": "hold"})

_post := fixture.tool("post_message")

# A read by an agent that may only write.
_outside := fixture.call

_narrow := fixture.with_agent("scope", {"servers": ["*"], "actions": ["write"]})

_relaxing(name, change) := fixture.changed(_narrow, ["enforcement"], {name: object.union(_entry, change)})

_enforcing(name, change) := fixture.changed(fixture.bundle, ["enforcement"], {name: object.union(_entry, change)})

_observing(change) := fixture.changed(
	fixture.bundle,
	["environment", "observe"],
	object.union(object.remove(_entry, ["mode"]), change),
)

test_says_whether_only_the_definition_is_missing if {
	failed := {"definition_status": "listing_failed"}
	pinned := object.union(fixture.changed(fixture.call, ["definition"], null), failed)
	fixture.decision(pinned, fixture.bundle).needs_definition == true
	path := ["catalog", "targets", "slack", "tools", "read_channel", "action"]
	fixture.decision(pinned, fixture.without(fixture.bundle, path)).needs_definition == false
	believing := fixture.without(fixture.with_server("believe_annotations", true), path)
	fixture.decision(pinned, believing).needs_definition == true
	fixture.decision(object.union(fixture.tool("hidden"), failed), fixture.bundle).needs_definition == false
	fixture.decision(fixture.changed(fixture.call, ["definition"], null), fixture.bundle).needs_definition == false
}

test_instructions_that_nobody_reviewed_pass_unless_pins_are_required if {
	unpinned := fixture.with_server("instructions", null)
	fixture.decision(fixture.call, unpinned).route.instructions == "any"
	asking := ["environment", "require_pins"]
	every strict in [fixture.changed(unpinned, asking, true), fixture.without(unpinned, asking)] {
		fixture.decision(fixture.call, strict).route.instructions == "none"
	}
}

test_a_damaged_pin_of_instructions_lets_none_pass if {
	every damaged in [true, "any", {}, {"sha256": null}] {
		fixture.decision(fixture.call, fixture.with_server("instructions", damaged)).route.instructions == "none"
	}
}
