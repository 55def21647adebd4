# METADATA
# title: The standing of a rule
# description: |
#   Whether a rule is in force for this caller at this time. Rule 1: a rule stands `surely`, `perhaps` or `not`. A
#   refusal needs more than `not`, and a permission needs `surely`. Rule 2: the index of the build resolved servers and
#   the first field of `who`, unless its claim is unknown; it never resolves `claims` and `source`. Rule 3: with an
#   unknown claim, a rule stands at most `perhaps`. Rule 4: an exception that reads no arguments is part of the
#   standing. A rule does not stand if its exception surely fits, and stands surely only if its exception surely does
#   not fit.
package mcp.lib.rules.standing

import data.mcp.lib.clock
import data.mcp.lib.principal
import data.mcp.lib.rules.people

of(rule) := "surely" if {
	rule.expires == null
	rule.when == null
	_is_found_by_index(rule.who)
	rule.unless == null
} else := "surely" if {
	_is_of_caller(rule.who)
	_is_of_moment(rule.when)
	clock.unexpired(rule.expires)
	_is_unexcepted(rule.unless)
} else := "not" if {
	_is_exempt(rule)
} else := "perhaps"

# METADATA
# description: True while the mode of a rule (`warn` or `shadow`) is in effect.
is_relaxed(rule) if {
	is_string(rule.mode)
	rule.owner != ""
	rule.reason != ""
	clock.before(rule.expires)
}

# METADATA
# description: True if the `who` and `when` of an exception surely fit.
fits(exception) if {
	_are_asked_by(exception.who)
	_is_of_moment(exception.when)
}

# METADATA
# description: True if the `who` or the `when` of an exception surely does not fit.
misses(exception) if {
	some field, names in exception.who
	_is_someone_else(field, names)
	_is_known(field)
}

misses(exception) if {
	is_object(exception.when)
	_is_another_time(exception.when)
}

_are_asked_by(who) if count(who) == 0

_are_asked_by(who) if {
	count(who) > 0
	every field, names in who { _is_asked_by(field, names) }
}

# An exception that reads arguments is judged together with the arguments.
_is_unexcepted(exception) if exception == null

_is_unexcepted(exception) if count(exception.arguments) > 0

_is_unexcepted(exception) if misses(exception)

_is_exempt(rule) if {
	rule.unless.arguments == []
	fits(rule.unless)
}

_is_exempt(rule) if {
	not _is_found_by_index(rule.who)
	some field, names in rule.who
	_is_someone_else(field, names)
}

_is_exempt(rule) if {
	is_object(rule.when)
	_is_another_time(rule.when)
}

_is_exempt(rule) if {
	rule.mode == null
	clock.after(rule.expires)
}

_is_of_caller(who) if _is_found_by_index(who)

_is_of_caller(who) if {
	count(who) > 0
	_are_asked_by(who)
}

_is_asked_by("agents", names) if principal.agent_id in names

_is_asked_by("kinds", names) if principal.agent.kind in names

_is_asked_by("labels", names) if _shares(principal.agent.labels, names)

_is_asked_by("owners", names) if principal.agent.owner in names

_is_asked_by("groups", names) if _shares(principal.groups, names)

_is_asked_by("subjects", names) if _shares(people.names("subject"), names)

_is_asked_by("client_ids", names) if _shares(people.names("client_id"), names)

_is_asked_by("claims", claims) if people.have(claims)

_is_asked_by("source", networks) if people.is_within(networks)

_is_someone_else(field, names) if {
	not _is_unknown(field)
	not _is_asked_by(field, names)
}

_is_someone_else("claims", claims) if people.lack(claims)

_is_someone_else("source", networks) if people.is_elsewhere(networks)

_is_unknown(field) if _claims[field] in principal.unknown

# For these fields, the values decide whether they are unknown.
_is_unknown(field) if field in {"claims", "source"}

_is_found_by_index(who) if {
	count(who) < 2
	unknown(who) == set()
	not who.claims
	not who.source
}

# METADATA
# description: The unknown fields of the principal that the `who` of a rule reads.
unknown(who) := set() if {
	principal.unknown == set()
} else := {claim |
	some field, _ in who
	claim := _claims[field]
	claim in principal.unknown
}

# The fields of `who` that depend on claims, each with the field of the principal that it reads.
_claims := {"groups": "groups", "subjects": "subject", "client_ids": "client_id"}

# A field that is missing or has another type says nothing about the caller.
_is_known("groups") if is_array(input.principal.groups)

_is_known(field) if {
	field != "groups"
	is_object(principal.agent)
	is_array(principal.agent.labels)
}

_is_of_moment(when) if when == null

_is_of_moment(when) if {
	is_object(when)
	clock.zone(_zone(when))
	not _is_another_time(when)
}

_is_another_time(when) if {
	day := clock.weekday(_zone(when))
	not day in when.days
}

_is_another_time(when) if {
	now := clock.time_of_day(_zone(when))
	is_string(when.hours)
	not _within(when.hours, now)
}

_zone(when) := zone if {
	zone := when.time_zone
} else := data.environment.time_zone

_within(hours, now) if {
	[start, end] := split(hours, "-")
	start < end
	now >= start
	now < end
}

_within(hours, now) if {
	[start, end] := split(hours, "-")
	start > end
	_is_outside(end, start, now)
}

_is_outside(_, start, now) if now >= start

_is_outside(end, _, now) if now < end

_shares(facts, names) if {
	some name in names
	name in facts
}
