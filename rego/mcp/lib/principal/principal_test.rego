package mcp.lib.principal_test

import data.mcp.lib.fixture_test as fixture
import data.mcp.lib.principal

test_unknown_is_what_the_gateway_could_not_read if {
	_unknown(fixture.jwt({"subject": "s", "unknown": ["groups"]})) == {"groups"}
	_unknown(fixture.jwt({"subject": "s", "unknown": []})) == set()
	_unknown(fixture.call) == set()
	_unknown(fixture.without(fixture.call, ["principal", "unknown"])) == set()
}

test_whatever_is_empty_in_a_jwt_of_an_earlier_gateway_is_unknown if {
	earlier := fixture.without(fixture.jwt({"subject": "s"}), ["principal", "unknown"])
	_unknown(earlier) == {"groups", "scopes", "client_id"}
	filled := {"subject": "s", "client_id": "c", "groups": ["g"], "scopes": ["x"]}
	every field, other in {"subject": null, "client_id": "", "groups": [], "scopes": []} {
		named := object.union(filled, {field: other})
		_unknown(fixture.without(fixture.jwt(named), ["principal", "unknown"])) == {field}
	}
	every damaged in [null, "groups", 7, {}] {
		_unknown(fixture.jwt(object.union(filled, {"groups": [], "unknown": damaged}))) == {"groups"}
	}
}

test_unknown_groups_are_no_groups if {
	_groups(fixture.jwt({"groups": ["desk"]})) == {"desk"}
	_groups(fixture.jwt({"groups": ["desk"], "unknown": ["groups"]})) == set()
}

test_every_unknown_field_has_a_text if {
	every field in ["subject", "client_id", "groups", "scopes"] { contains(principal.unreadable(field), "issuer must") }
}

_unknown(question) := fields if {
	fields := principal.unknown with input as question
}

_groups(question) := names if {
	names := principal.groups with input as question
}

test_what_a_requirement_reads_of_a_jwt_has_to_be_known if {
	_unread(_claiming({"team": "x", "admin": false}), ["groups"], ["team", "admin"]) == set()
	_unread(_claiming({"team": null}), [], ["team", "admin"]) == {_no_claim("team"), _no_claim("admin")}
	_unread(fixture.without(_claiming({}), ["principal", "claims"]), [], ["team"]) == {_no_claim("team")}
	_unread(fixture.jwt({"unknown": ["groups"]}), ["groups", "scopes"], []) == {principal.unreadable("groups")}
	_unread(fixture.call, ["groups"], ["team"]) == set()
}

_claiming(claims) := fixture.jwt({"subject": "s", "claims": claims})

_no_claim(name) := sprintf("The token has no claim `%v`, which this requirement reads: its issuer must add it", [name])

_unread(question, fields, claims) := texts if {
	texts := principal.unread(fields, claims) with input as question
	_agrees(question, fields, claims, texts)
}

_agrees(question, fields, claims, set()) if principal.is_read(fields, claims) with input as question

_agrees(question, fields, claims, texts) if {
	texts != set()
	not _is_read(question, fields, claims)
}

_is_read(question, fields, claims) if principal.is_read(fields, claims) with input as question
