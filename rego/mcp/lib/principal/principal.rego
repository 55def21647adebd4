# METADATA
# title: Principal
# description: |
#   Which registered agent the verified principal acts as. Rule 1: a token is known by its digest, a JWT by its issuer
#   and subject, else client id, else groups; groups that name two agents name none. Rule 2: nobody is an agent only
#   where the bundle marks one as anonymous.
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
# description: True where the gateway verified a principal that this bundle knows how to take.
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
# description: The groups of the principal, as the gateway verified them.
groups := {group | some group in input.principal.groups}

# METADATA
# description: The agents that the groups of the principal name, if neither its subject nor its client id names one.
agents_of_groups := _by_groups if {
	input.principal.method == "jwt"
	not _by_subject
	not _by_client_id
} else := set()

# METADATA
# description: Why a principal is not one that this bundle knows how to take.
complaint := "no credential was presented, and this policy has no anonymous agent" if {
	input.principal.method == "none"
} else := "this policy does not know the token" if {
	input.principal.method == "token"
	not _credential
} else := "the token has expired" if {
	input.principal.method == "token"
} else := "the JWT names no issuer, or neither a subject nor a client id" if {
	input.principal.method == "jwt"
}

_credential := entry if {
	entry := data.index.credentials[input.principal.credential_sha256]
	is_object(entry)
}

_identified if _named(input.principal.subject)

_identified if _named(input.principal.client_id)

_named(text) if {
	is_string(text)
	text != ""
}

_identity := id if {
	id := _by_subject
} else := id if {
	id := _by_client_id
} else := id if {
	count(_by_groups) == 1
	some id in _by_groups
}

_by_subject := data.index.identities[input.principal.issuer].subject[input.principal.subject]

_by_client_id := data.index.identities[input.principal.issuer].client_id[input.principal.client_id]

_by_groups contains id if {
	some group in groups
	id := data.index.identities[input.principal.issuer].group[group]
}
