package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture
import data.mcp.lib.rules.standing

test_a_rule_names_people_by_subject_and_client if {
	every who in [
		{"subjects": ["sub-1"]},
		{"subjects": ["x", "https://idp.example#sub-1"]},
		{"client_ids": ["cli-1"]},
		{"client_ids": ["https://idp.example#cli-1"]},
		{"subjects": ["sub-1"], "client_ids": ["x", "cli-1"]},
		{"subjects": ["sub-1"], "agents": ["bot"], "groups": ["desk"]},
	] {
		_is_about(_person({}), who)
	}
}

test_a_rule_by_subject_or_client_is_about_no_other if {
	every who in [
		{"subjects": ["sub-2"]},
		{"subjects": ["SUB-1"]},
		{"subjects": ["cli-1"]},
		{"subjects": ["https://other.example#sub-1"]},
		{"client_ids": ["sub-1"]},
		{"client_ids": ["https://other.example#cli-1"]},
		{"subjects": ["sub-1"], "client_ids": ["x"]},
		{"subjects": ["sub-1"], "agents": ["other"]},
		{"agents": ["bot"], "subjects": ["sub-2"]},
		{"subjects": ["sub-1"], "groups": ["sales"]},
	] {
		_is_not_about(_person({}), who)
	}
}

test_a_subject_cannot_pass_for_that_of_another_issuer if {
	forged := _person({"subject": "https://other.example#alice", "groups": ["desk"]})
	_is_not_about(forged, {"subjects": ["https://other.example#alice"]})
	_is_about(forged, {"subjects": ["https://idp.example#https://other.example#alice"]})
}

test_an_unknown_subject_is_restricted_and_not_permitted if {
	unknown := _person({"subject": null, "unknown": ["subject"], "groups": ["desk"]})
	_is_open_about(unknown, {"subjects": ["x"]})
	_is_open_about(unknown, {"subjects": ["x"], "agents": ["bot"]})
	_is_not_about(unknown, {"subjects": ["x"], "agents": ["other"]})
	_is_open_about(_person({"subject": null, "groups": ["desk"], "unknown": 7}), {"subjects": ["x"], "agents": ["bot"]})
}

test_an_unknown_client_is_restricted_and_not_permitted if {
	unknown := _person({"client_id": null, "unknown": ["client_id"], "groups": ["desk"]})
	_is_open_about(unknown, {"client_ids": ["x"]})
	_is_open_about(unknown, {"client_ids": ["x"], "agents": ["bot"]})
	_is_not_about(unknown, {"client_ids": ["x"], "agents": ["other"]})
}

test_only_a_jwt_has_a_subject_a_client_and_claims if {
	every who in [
		{"subjects": ["sub-1"]},
		{"client_ids": ["cli-1"]},
		{"claims": {"department": ["sales"]}},
		{"claims": {"department": ["sales"]}, "agents": ["bot"]},
	] {
		_is_not_about(fixture.call, who)
	}
	none := fixture.changed(fixture.call, ["principal", "method"], "none")
	_ends(none, {"effect": "deny", "who": {"claims": {"department": ["sales"]}}}) == "allow"
	_ends(none, {"effect": "deny", "who": {"subjects": ["sub-1"]}}) == "allow"
	odd := fixture.changed(
		fixture.changed(fixture.call, ["principal", "subject"], "sub-1"),
		["principal", "claims"], {"department": "sales"},
	)
	_is_not_about(odd, {"subjects": ["sub-1"]})
	_is_not_about(odd, {"claims": {"department": ["sales"]}})
}

test_a_claim_has_one_of_the_values if {
	every value in ["sales", ["sales"], ["x", "sales"], ["sales", null], [7, "sales"]] {
		_is_about(_claiming({"department": value}), {"claims": {"department": ["sales", "support"]}})
	}
}

test_a_claim_with_none_of_the_values_is_no_match if {
	every value in ["legal", "Sales", "presales", "sales-eu", ["legal"], ["x", "legal"]] {
		_is_not_about(_claiming({"department": value}), {"claims": {"department": ["sales", "support"]}})
	}
}

test_a_claim_is_compared_with_values_of_its_type if {
	_is_about(_claiming({"level": 3}), {"claims": {"level": [3.0]}})
	_is_not_about(_claiming({"level": 4}), {"claims": {"level": [3]}})
	_is_about(_claiming({"admin": true}), {"claims": {"admin": [true]}})
	_is_not_about(_claiming({"admin": false}), {"claims": {"admin": [true]}})
	_is_about(_claiming({"mixed": [1, "a"]}), {"claims": {"mixed": ["a", 1]}})
	_is_not_about(_claiming({"mixed": [2, "b"]}), {"claims": {"mixed": ["a", 1]}})
}

test_every_claim_of_a_rule_counts if {
	both := {"claims": {"department": ["sales"], "level": [3]}}
	_is_about(_claiming({"department": "sales", "level": 3}), both)
	_is_not_about(_claiming({"department": "sales", "level": 4}), both)
	_is_not_about(_claiming({"level": 4}), both)
	_is_open_about(_claiming({"department": "sales"}), both)
}

test_a_claim_that_cannot_be_read_is_unknown if {
	every claims in [
		{},
		{"Department": "sales"},
		{"department": null},
		{"department": ""},
		{"department": []},
		{"department": [""]},
		{"department": {}},
	] {
		_is_open_about(_claiming(claims), {"claims": {"department": ["sales"]}})
	}
}

test_a_claim_of_another_type_is_unknown if {
	every claims in [
		{"department": {"sales": true}},
		{"department": 7},
		{"department": true},
		{"department": [7]},
		{"department": ["legal", null]},
		{"department": ["legal", ["sales"]]},
		{"department": [["sales"]]},
	] {
		_is_open_about(_claiming(claims), {"claims": {"department": ["sales"]}})
	}
}

test_a_claim_that_lists_values_in_a_text_or_is_kept_elsewhere_is_unknown if {
	every claims in [
		{"department": "sales,legal"},
		{"department": "legal sales"},
		{"department": " sales"},
		{"department": ["legal;sales"]},
		{"department": "[\"sales\"]"},
		{"department": "legal", "_claim_names": {"department": "src1"}},
		{"department": "sales", "_claim_names": {"department": "src1"}},
	] {
		_is_open_about(_claiming(claims), {"claims": {"department": ["sales"]}})
	}
}

test_an_unknown_claim_of_a_person_hides_nothing_else_that_a_rule_states if {
	_is_open_about(_claiming({}), {"claims": {"department": ["sales"]}, "agents": ["bot"]})
	_is_not_about(_claiming({}), {"claims": {"department": ["sales"]}, "agents": ["other"]})
	_is_open_about(_claiming({"unit": "A, B"}), {"claims": {"unit": ["B"]}})
	_is_open_about(_claiming({"unit": "Human Resources, Legal"}), {"claims": {"unit": ["Human Resources"]}})
	_is_open_about(_claiming(7), {"claims": {"department": ["sales"]}})
	_is_open_about(_claiming({"level": "3"}), {"claims": {"level": [3]}})
}

test_a_claim_is_named_as_in_the_token_or_by_a_pointer if {
	every who in [
		{"/realm_access/roles": ["admin"]},
		{"https://x.example/roles": ["auditor"]},
		{"/a~1b": ["c"]},
		{"a/b": ["c"]},
		{"realm_access.roles": ["dotted"]},
		{"/realm_access.roles": ["dotted"]},
		{"/t~01": ["u"]},
	] {
		_is_about(_claiming(_named_claims), {"claims": who})
	}
}

test_a_claim_that_a_name_does_not_lead_to_is_unknown if {
	every who in [
		{"/realm_access/rights": ["admin"]},
		{"/realm_access": ["admin"]},
		{"/list/0": ["x"]},
		{"/nothing/at/all": ["x"]},
		{"x": ["admin"]},
	] {
		_is_open_about(_claiming(_named_claims), {"claims": who})
	}
	elsewhere := object.union(_named_claims, {"_claim_names": {"realm_access": "src1"}})
	_is_open_about(_claiming(elsewhere), {"claims": {"/realm_access/roles": ["admin"]}})
}

test_a_rule_names_networks if {
	every address in ["10.1.2.3", "10.255.255.255", "::ffff:10.1.2.3", "2001:db8::7"] {
		_is_about(_from(address), {"source": ["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"]})
	}
}

test_a_rule_by_network_is_about_no_other if {
	every address in ["11.0.0.1", "192.0.3.1", "2001:db9::7", "::a01:203"] {
		_is_not_about(_from(address), {"source": ["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"]})
	}
}

test_an_address_that_cannot_be_read_is_unknown if {
	every address in ["", "unknown", "10.1.2", "10.1.2.3/8", "fe80::1%eth0", null, 7] {
		_is_open_about(_from(address), {"source": ["10.0.0.0/8"]})
	}
	_is_open_about(_from(""), {"source": ["10.0.0.0/8"], "agents": ["bot"]})
	_is_not_about(_from(""), {"source": ["10.0.0.0/8"], "agents": ["other"]})
}

test_people_and_moments_count_together if {
	now := {"days": ["friday"]}
	later := {"days": ["monday"]}
	who := {"claims": {"department": ["sales"]}}
	_ends(_claiming({"department": "sales"}), {"effect": "deny", "who": who, "when": now}) == "deny"
	_ends(_claiming({"department": "sales"}), {"effect": "deny", "who": who, "when": later}) == "allow"
	_ends(_claiming({}), {"effect": "deny", "who": who, "when": now}) == "deny"
	_ends(_claiming({}), {"effect": "deny", "who": who, "when": later}) == "allow"
	_ends(_person({}), {"effect": "deny", "who": {"subjects": ["sub-1"]}, "when": later}) == "allow"
	_ends(_person({}), {"effect": "deny", "who": {"subjects": ["sub-1"]}, "when": now}) == "deny"
}

test_a_damaged_index_of_people_refuses if {
	every damage in [null, "false", 0, {}] {
		_decided(_person({}), fixture.changed(fixture.bundle, ["index", "people"], damage)).outcome == "deny"
	}
	_decided(_person({}), fixture.without(fixture.bundle, ["index", "people"])).outcome == "deny"
}

test_says_what_of_a_person_could_not_be_read if {
	unread := "The claim `department` could not be read from the token: its issuer must add it in the form that the rule uses"
	refused := _decided(_claiming({}), fixture.with_rule(_denying({"claims": {"department": ["sales"]}})))
	[reason.message | some reason in refused.reasons] == [sprintf("Rule `x` (it depends on who the caller is. %v): No.", [unread])]
	unpermitted := _decided(_claiming({}), _indexed([_rule({"who": {"claims": {"department": ["sales"]}}})], ["x"]))
	[reason.message | some reason in unpermitted.reasons] == [concat("", [
		"No rule permits agent `bot` the action `read` on tool `read_channel` of server `slack`. ",
		unread,
		" (a rule needs this to permit)",
	])]
	from_nowhere := _decided(_from(""), fixture.with_rule(_denying({"source": ["10.0.0.0/8"]})))
	[reason.message | some reason in from_nowhere.reasons] == ["Rule `x` (it depends on who the caller is. The address of the caller is not known): No."]
	nameless := _person({"subject": null, "unknown": ["subject"], "groups": ["desk"]})
	unnamed := _decided(nameless, fixture.with_rule(_denying({"subjects": ["x"]})))
	contains(unnamed.reasons[0].message, "The token has no subject: its issuer must add the claim `sub`")
	unfound := _decided(nameless, _indexed([_rule({"who": {"subjects": ["x"]}})], ["x"]))
	endswith(unfound.reasons[0].message, ". The token has no subject: its issuer must add the claim `sub` (some rules need this to permit)")
	surely := _decided(_claiming({"department": "sales"}), fixture.with_rule(_denying({"claims": {"department": ["sales"]}})))
	[reason.message | some reason in surely.reasons] == ["Rule `x`: No."]
}

test_an_exception_names_people if {
	every case in [
		["fits", {"claims": {"department": ["sales"]}}],
		["misses", {"claims": {"department": ["legal"]}}],
		["neither", {"claims": {"level": [3]}}],
		["neither", {"claims": {"department": ["sales"], "level": [3]}}],
		["misses", {"claims": {"department": ["legal"], "level": [3]}}],
		["fits", {"source": ["10.0.0.0/8"]}],
		["misses", {"source": ["192.0.2.0/24"]}],
		["misses", {"source": ["192.0.2.0/24"], "claims": {"level": [3]}}],
		["fits", {"subjects": ["sub-1"]}],
		["misses", {"subjects": ["sub-2"]}],
		["neither", {"client_ids": ["cli-1"]}],
		["neither", {"client_ids": ["cli-1"], "source": ["10.0.0.0/8"]}],
		["misses", {"client_ids": ["cli-1"], "agents": ["other"]}],
	] {
		[verdict, who] := case
		_except(_excepted, who) == verdict
	}
	_except(fixture.changed(_excepted, ["context", "source_ip"], ""), {"source": ["10.0.0.0/8"]}) == "neither"
	_except(fixture.call, {"claims": {"department": ["sales"]}}) == "misses"
}

test_says_what_of_an_exception_could_not_be_read if {
	unread := "The claim `level` could not be read from the token: its issuer must add it in the form that the rule uses"
	exception := {"who": {"claims": {"level": [3]}}, "when": null, "arguments": []}
	kept := _decided(_excepted, fixture.with_rule(_rule({"effect": "deny", "reason": "No.", "unless": exception})))
	[reason.message | some reason in kept.reasons] == [sprintf("Rule `x` (it depends on who the caller is. %v): No.", [unread])]
	unpermitted := _decided(_excepted, _indexed([_rule({"unless": exception})], ["x"]))
	endswith(unpermitted.reasons[0].message, concat("", [". ", unread, " (a rule needs this to permit)"]))
	elsewhere := object.union(exception, {"who": {"claims": {"level": [3]}, "agents": ["other"]}})
	refused := _decided(_excepted, fixture.with_rule(_rule({"effect": "deny", "reason": "No.", "unless": elsewhere})))
	[reason.message | some reason in refused.reasons] == ["Rule `x`: No."]
}

test_says_once_what_could_not_be_read if {
	nameless := _person({"subject": null, "unknown": ["subject"], "groups": ["desk"]})
	found := _decided(nameless, _indexed([_rule({"who": {"agents": ["bot"], "subjects": ["x"]}})], ["x"]))
	endswith(found.reasons[0].message, ". The token has no subject: its issuer must add the claim `sub` (a rule needs this to permit)")
	excepted := _rule({"who": {"subjects": ["x"]}, "unless": {"who": {"subjects": ["y"]}, "when": null, "arguments": []}})
	unfound := _decided(nameless, _indexed([excepted], ["x"]))
	count(split(unfound.reasons[0].message, "has no subject")) == 2
}

_excepted := object.union(
	_person({
		"client_id": null,
		"unknown": ["client_id"],
		"claims": {"department": "sales"},
	}),
	{"context": object.union(fixture.call.context, {"source_ip": "10.1.2.3"})},
)

# The verdict of an exception on a caller, as both effects show it. An exception lifts a refusal only if it surely fits.
_except(question, who) := "fits" if {
	_ends_excepted(question, who, "deny") == "allow"
	_ends_excepted(question, who, "allow") == "deny"
} else := "misses" if {
	_ends_excepted(question, who, "deny") == "deny"
	_ends_excepted(question, who, "allow") == "allow"
} else := "neither" if {
	_ends_excepted(question, who, "deny") == "deny"
	_ends_excepted(question, who, "allow") == "deny"
}

_ends_excepted(question, who, "deny") := _ends(question, {
	"effect": "deny",
	"unless": {"who": who, "when": null, "arguments": []},
})

_ends_excepted(question, who, "allow") := _decided(
	question,
	_indexed([_rule({"unless": {"who": who, "when": null, "arguments": []}})], ["x"]),
).outcome

_named_claims := {
	"realm_access": {"roles": ["admin"]},
	"https://x.example/roles": ["auditor"],
	"a/b": "c",
	"realm_access.roles": ["dotted"],
	"t~1": "u",
	"list": ["x"],
}

_is_about(question, who) if {
	_is_judged(who)
	_stands(question, who) == "surely"
}

_is_about(question, who) if {
	not _is_judged(who)
	_ends(question, {"effect": "deny", "who": who}) == "deny"
	_admits(question, who)
}

_is_not_about(question, who) if {
	_is_judged(who)
	_stands(question, who) == "not"
}

_is_not_about(question, who) if {
	not _is_judged(who)
	_ends(question, {"effect": "deny", "who": who}) == "allow"
	not _admits(question, who)
}

# It is unknown whether the rule applies to the caller, so it restricts and does not permit.
_is_open_about(question, who) if {
	_is_judged(who)
	_stands(question, who) == "perhaps"
}

_is_open_about(question, who) if {
	not _is_judged(who)
	_ends(question, {"effect": "deny", "who": who}) == "deny"
	_ends(question, {"effect": "hold", "who": who}) == "hold"
	not _admits(question, who)
}

# If the index does not decide alone, the standing of the rule decides.
_is_judged(who) if who.claims

_is_judged(who) if who.source

_is_judged(who) if count(who) > 1

_stands(question, who) := stands if {
	stands := standing.of(_rule({"who": who})) with input as question
		with data.agents as fixture.bundle.agents
		with data.index as fixture.bundle.index
}

_admits(question, who) if _decided(question, _indexed([_rule({"who": who})], ["x"])).outcome == "allow"

_ends(question, change) := _decided(question, fixture.with_rule(_rule(change))).outcome

_person(change) := fixture.jwt(object.union(
	{"subject": "sub-1", "client_id": "cli-1", "groups": ["desk"], "unknown": []},
	change,
))

_claiming(claims) := _person({"claims": claims})

_from(address) := fixture.changed(fixture.call, ["context", "source_ip"], address)
