# METADATA
# title: People
# description: |
#   Whether a rule names the caller by subject, client id, claim or network. Rule 1: only a JWT has a subject, a client
#   id and claims; a service token and an anonymous caller surely have none. Rule 2: a claim is unknown if it is absent,
#   empty, stored elsewhere, of a type that the rule does not name, or a text that lists several values. Rule 3: a name
#   with an issuer (`https://idp.example#alice`) belongs to that issuer only, and a name from a token never has this
#   form.
package mcp.lib.rules.people

import data.mcp.lib.principal

# METADATA
# description: The keys of the index for the rules that name this caller by subject or client id.
keys := [key |
	input.principal.method == "jwt"
	some field in ["subject", "client_id"]
	some name in names(field)
	key := concat(":", [field, name])
]

# METADATA
# description: The names by which a rule may refer to the subject or the client of a JWT. Empty if it is unknown.
names(field) := _plain(name) | _issued(name) if {
	input.principal.method == "jwt"
	name := _name(field)
	is_string(name)
	not field in principal.unknown
} else := set()

# METADATA
# description: True if every claim of a rule surely has one of its values.
have(claims) if {
	count(claims) > 0
	input.principal.method == "jwt"
	every name, values in claims { _holds(_value(name), values) }
}

# METADATA
# description: True if some claim of a rule surely has none of its values, or the caller has no claims at all.
lack(claims) if {
	input.principal.method == "jwt"
	some name, values in claims
	_fails(_value(name), values)
}

lack(_) if input.principal.method in {"token", "none"}

# METADATA
# description: True if the caller surely comes from one of these networks.
is_within(networks) if {
	_has_address
	some network in networks
	net.cidr_contains(network, input.context.source_ip)
}

# METADATA
# description: True if the caller surely comes from none of these networks.
is_elsewhere(networks) if {
	_has_address
	not is_within(networks)
}

# METADATA
# description: The facts about the caller that a rule needs and that cannot be read, in words.
unread(who) := array.concat(
	[text |
		input.principal.method == "jwt"
		some name, values in who.claims
		_is_unknown(name, values)
		text := sprintf("The claim `%v` could not be read from the token: its issuer must add it in the form that the rule uses", [name])
	],
	["The address of the caller is not known" | who.source; not _has_address],
)

_is_unknown(name, values) if {
	not _holds(_value(name), values)
	not _fails(_value(name), values)
}

_has_address if {
	is_string(input.context.source_ip)

	# A text that is not an address would be a run-time error.
	net.cidr_is_valid(concat("/", [input.context.source_ip, "0"]))
}

# These read single paths: a read of the whole principal would count as a read of fields that the journal masks.
_name("subject") := input.principal.subject

_name("client_id") := input.principal.client_id

# A name with `#` belongs to an issuer, so a text from a token must not look like one.
_plain(name) := {name | not contains(name, "#")}

_issued(name) := {concat("#", [input.principal.issuer, name]) | is_string(input.principal.issuer)}

# The value of a claim. A name that begins with `/` is a pointer into the claims. Null if the token does not have it.
_value(name) := value if {
	is_object(input.principal.claims)
	path := _path(name)
	not input.principal.claims._claim_names[path[0]]
	value := object.get(input.principal.claims, path, null)
} else := null

_path(name) := [replace(replace(part, "~1", "/"), "~0", "~") |
	some part in array.slice(split(name, "/"), 1, count(name) + 1)
] if {
	startswith(name, "/")
} else := [name]

_holds(value, values) if value in values

_holds(value, values) if {
	is_array(value)
	some element in value
	element in values
}

_fails(value, values) if {
	not is_array(value)
	_differs(value, values)
}

_fails(value, values) if {
	is_array(value)
	count(value) > 0
	every element in value { _differs(element, values) }
}

# A value of a type that the rule names, that is not one of its values and not a text that lists one of them.
_differs(value, values) if {
	value != ""
	some other in values
	type_name(value) == type_name(other)
	not value in values
	not _lists(value, values)
}

_lists(value, values) if {
	is_string(value)
	some separators in [`[\s,;|\[\](){}"']+`, `[,;|\[\](){}"']+`]
	some part in regex.split(separators, value)
	trim_space(part) in values
}
