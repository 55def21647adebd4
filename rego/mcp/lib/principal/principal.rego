# METADATA
# title: Principal
# description: |
#   The registered agent that the verified principal acts as. Rule 1: a token is known by its digest, a JWT by the most
#   specific identity of its issuer that fits. A subject is more specific than a client id, a client id more than a
#   group, and each is more specific in combination with another. If equally specific identities lead to two agents, the
#   principal acts as none. Rule 2: a caller without a credential acts as an agent only if the bundle marks one as
#   anonymous. Rule 3: an identity fits if everything that it states is known and equal. If a more specific identity of
#   another agent may fit, because a claim is unknown, the principal acts as no agent.
package mcp.lib.principal

import data.mcp.lib.clock

agent_id := data.index.credentials[input.principal.credential_sha256].agent if input.principal.method == "token"

agent_id := _identity if input.principal.method == "jwt"

agent_id := data.index.anonymous if input.principal.method == "none"

agent := entry if {
	entry := data.agents[agent_id]
	is_object(entry)
}

# METADATA
# description: True if the gateway verified the principal and this bundle accepts it.
verified if {
	input.principal.method == "token"
	clock.unexpired(_credential.expires)
}

verified if {
	input.principal.method == "jwt"
	_named(input.principal.issuer)
	_identified
}

verified if {
	input.principal.method == "none"
	data.agents[data.index.anonymous].anonymous == true
}

# METADATA
# description: |
#   The fields of the principal that are empty only because their claim could not be read. An earlier gateway does not
#   list them, so every empty field of its JWTs is unknown.
unknown := {field | some field in input.principal.unknown} if {
	is_array(input.principal.unknown)
} else := {field | some field in object.keys(_unreadable); not _is_filled(field)} if {
	input.principal.method == "jwt"
} else := set()

# METADATA
# description: The reason why a field is unknown, and what to do.
unreadable(field) := _unreadable[field]

# METADATA
# description: |
#   True if these fields and claims of the principal could be read, for a requirement that reads them. Only JWTs have
#   claims, so no claims are required of other callers.
is_read(fields, claims) if unread(fields, claims) == set()

# METADATA
# description: The reasons why these fields and claims could not be read, and what to do.
unread(fields, claims) := _unread_fields(fields) | {text |
	input.principal.method == "jwt"
	some name in claims
	not _has_claim(name)
	text := sprintf("The token has no claim `%v`, which this requirement reads: its issuer must add it", [name])
}

_unread_fields(fields) := {text |
	some field in fields
	field in unknown
	text := _unreadable[field]
}

_has_claim(name) if input.principal.claims[name] != null

# METADATA
# description: The groups of the principal, as the gateway verified them. Empty if they are unknown.
groups := {group | some group in input.principal.groups} if {
	not "groups" in unknown
} else := set()

# METADATA
# description: The agents that equally specific identities lead to. The principal acts as none of them.
rival_agents := _leading.agents if {
	input.principal.method == "jwt"
	count(_leading.agents) > 1
} else := set()

# METADATA
# description: |
#   The unknown fields by which the identities of the issuer distinguish agents, so that the agent of the principal is
#   unknown.
undecided_by := {field |
	some identity in _doubtful
	some field in identity.unknown
} if {
	input.principal.method == "jwt"
	not agent_id
} else := set()

# METADATA
# description: The reason why this bundle does not accept the principal.
complaint := "No credential was presented, and this policy has no anonymous agent" if {
	input.principal.method == "none"
} else := "This policy does not know the token" if {
	input.principal.method == "token"
	not _credential
} else := "The token has expired" if {
	input.principal.method == "token"
} else := "The JWT has no issuer, or has neither a subject nor a client id" if {
	input.principal.method == "jwt"
}

_credential := entry if {
	entry := data.index.credentials[input.principal.credential_sha256]
	is_object(entry)
}

_identified if _subject

_identified if _client_id

_named(text) if {
	is_string(text)
	text != ""
}

_identity := id if {
	is_object(_identities.combined)
	count(_leading.agents) == 1
	some id in _leading.agents
	_others(id) == set()
}

_identities := data.index.identities[input.principal.issuer]

# The agents of the most specific identities that surely fit, and the rank of these identities.
_leading := {"rank": 7, "agents": _of_all} if {
	count(_of_all) > 0
} else := {"rank": 6, "agents": {id}} if {
	id := _combined[""]
} else := {"rank": 5, "agents": _of_subject_and_group} if {
	count(_of_subject_and_group) > 0
} else := {"rank": 4, "agents": {id}} if {
	id := _identities.subject[_subject]
} else := {"rank": 3, "agents": _of_client_and_group} if {
	count(_of_client_and_group) > 0
} else := {"rank": 2, "agents": {id}} if {
	id := _identities.client_id[_client_id]
} else := {"rank": 1, "agents": _of_group} if {
	count(_of_group) > 0
} else := {"rank": 0, "agents": set()}

_subject := input.principal.subject if _named(input.principal.subject)

_client_id := input.principal.client_id if _named(input.principal.client_id)

_combined := _identities.combined[_subject][_client_id]

_of_all := _by_group(_combined)

_of_subject_and_group := _by_group(_identities.combined[_subject][""])

_of_client_and_group := _by_group(_identities.combined[""][_client_id])

_of_group := _by_group(_identities.group)

_by_group(named) := {id |
	some group in groups
	group != ""
	id := named[group]
}

_others(id) := {identity |
	some identity in _doubtful
	identity.agent != id
}

# Identities that are more specific than those that surely fit, and that may fit because claims that they state are
# unknown.
_doubtful contains identity if {
	unknown != set()
	some identity in _stated
	identity.rank > _leading.rank
}

_stated contains {"rank": 4, "agent": id, "unknown": {"subject"}} if {
	"subject" in unknown
	some id in _identities.subject
}

_stated contains {"rank": 2, "agent": id, "unknown": {"client_id"}} if {
	"client_id" in unknown
	some id in _identities.client_id
}

_stated contains {"rank": 1, "agent": id, "unknown": {"groups"}} if {
	"groups" in unknown
	some id in _identities.group
}

# A combined identity has an empty text for each field that it does not state.
_stated contains {"rank": rank, "agent": id, "unknown": fields & unknown} if {
	some subject, of_subject in _identities.combined
	_may_be("subject", subject)
	some client_id, of_client in of_subject
	_may_be("client_id", client_id)
	some group, id in of_client
	_may_be("groups", group)
	stated := {"subject": subject, "client_id": client_id, "groups": group}
	fields := {field | some field, text in stated; text != ""}
	rank := sum([_weights[field] | some field in fields])
}

_weights := {"subject": 4, "client_id": 2, "groups": 1}

_may_be(_, "")

_may_be(field, _) if field in unknown

_may_be("subject", text) if text == _subject

_may_be("client_id", text) if text == _client_id

_may_be("groups", text) if text in groups

_is_filled("subject") if _subject

_is_filled("client_id") if _client_id

_is_filled("groups") if count(input.principal.groups) > 0

_is_filled("scopes") if count(input.principal.scopes) > 0

_unreadable := {
	"subject": "The token has no subject: its issuer must add the claim `sub`",
	"client_id": concat(" ", [
		"The client id could not be read from the token:",
		"its issuer must add the claim that `client_id_claim` names in the settings of the gateway",
	]),
	"groups": concat(" ", [
		"The groups could not be read from the token:",
		"its issuer must list them in the claim that `groups_claim` names in the settings of the gateway",
	]),
	"scopes": concat(" ", [
		"The scopes could not be read from the token:",
		"its issuer must list them in the claim that `scopes_claim` names in the settings of the gateway",
	]),
}
