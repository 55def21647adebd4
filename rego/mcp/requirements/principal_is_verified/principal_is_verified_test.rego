package mcp.requirements.principal_is_verified_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_a_token_of_the_bundle if {
	every expires in [null, "2026-11-20T14:00:01Z", "2027-01-01T00:00:00+01:00"] {
		not _refused(fixture.call, _with_expiry(expires))
	}
}

test_refuses_a_token_that_is_unknown_or_absent if {
	every digest in ["another", "", null, 7] {
		_refused(fixture.changed(fixture.call, ["principal", "credential_sha256"], digest), fixture.bundle)
	}
	_refused(fixture.without(fixture.call, ["principal", "credential_sha256"]), fixture.bundle)
}

test_refuses_a_token_that_has_expired_or_whose_expiry_is_damaged if {
	every expires in ["2026-11-20T14:00:00Z", "2020-01-01T00:00:00Z", "tomorrow", "2027-02-30T00:00:00Z", 7, false] {
		_refused(fixture.call, _with_expiry(expires))
	}
	_refused(fixture.call, fixture.without(fixture.bundle, ["index", "credentials", "digest-of-token", "expires"]))
	_refused(fixture.call, fixture.changed(fixture.bundle, ["index", "credentials", "digest-of-token"], "bot"))
	_refused(fixture.call, fixture.without(fixture.bundle, ["index", "credentials"]))
}

test_refuses_where_the_question_has_no_time if {
	_refused(fixture.without(fixture.call, ["context", "time"]), _with_expiry("2027-01-01T00:00:00Z"))
}

test_is_met_by_a_jwt_that_names_somebody if {
	every named in [{"subject": "sub-9"}, {"client_id": "cli-9"}] { not _refused(_jwt(named), fixture.bundle) }
}

test_refuses_a_jwt_that_names_nobody if {
	every named in [{}, {"subject": ""}, {"client_id": 7}] { _refused(_jwt(named), fixture.bundle) }
	_refused(fixture.changed(_jwt({"subject": "sub-9"}), ["principal", "issuer"], null), fixture.bundle)
}

test_is_met_by_nobody_only_where_an_agent_is_anonymous if {
	not _refused(_nobody, fixture.bundle)
	_refused(_nobody, fixture.without(fixture.bundle, ["index", "anonymous"]))
	_refused(_nobody, fixture.changed(fixture.bundle, ["index", "anonymous"], "bot"))
	every value in [null, "true", 1] {
		_refused(_nobody, fixture.changed(fixture.bundle, ["agents", "nobody", "anonymous"], value))
	}
	_refused(_nobody, fixture.without(fixture.bundle, ["agents", "nobody"]))
}

test_what_a_jwt_says_counts_in_a_jwt_only if {
	every method in ["token", "mtls", "none", "basic"] {
		named := _jwt({"subject": "sub-1", "client_id": "cli-1", "credential_sha256": null})
		without_anonymous := fixture.without(fixture.bundle, ["index", "anonymous"])
		_refused(fixture.changed(named, ["principal", "method"], method), without_anonymous)
	}
}

test_refuses_every_other_method if {
	every method in ["mtls", "basic", "", null] {
		_refused(fixture.changed(fixture.call, ["principal", "method"], method), fixture.bundle)
	}
	_refused(fixture.without(fixture.call, ["principal"]), fixture.bundle)
}

test_says_what_is_wrong_with_the_credential if {
	unknown := fixture.changed(fixture.call, ["principal", "credential_sha256"], "another")
	_because(unknown, fixture.bundle) == {"This policy does not know the token"}
	_because(fixture.call, _with_expiry("2020-01-01T00:00:00Z")) == {"The token has expired"}
	_because(_jwt({}), fixture.bundle) == {"The JWT has no issuer, or has neither a subject nor a client id"}
	_because(_nobody, fixture.without(fixture.bundle, ["agents", "nobody"])) == {concat(" ", [
		"No credential was presented,",
		"and this policy has no anonymous agent",
	])}
	_because(fixture.changed(fixture.call, ["principal", "method"], "mtls"), fixture.bundle) == set()
}

_because(question, policy) := fixture.because("principal_is_verified", question, policy)

_nobody := fixture.changed(fixture.call, ["principal", "method"], "none")

_jwt(named) := fixture.changed(
	fixture.call, ["principal"],
	object.union(fixture.call.principal, object.union({"method": "jwt", "issuer": "https://idp.example"}, named)),
)

_with_expiry(expires) := fixture.changed(
	fixture.bundle,
	["index", "credentials", "digest-of-token", "expires"],
	expires,
)

_refused(question, policy) if fixture.refuses("principal_is_verified", question, policy)
