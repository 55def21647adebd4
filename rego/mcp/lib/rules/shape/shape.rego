# METADATA
# title: The shape of a rule
# description: |
#   What a well-formed rule is. The build writes every key out and checks all of this with file and line; here it is
#   checked again, so that damage refuses. Rule 1: an unknown key, an empty list and a wrong type are malformed.
package mcp.lib.rules.shape

import data.mcp.lib.clock
import data.mcp.lib.conditions
import data.mcp.lib.patterns

_keys := {"rule", "effect", "who", "what", "when", "arguments", "mode", "reason", "owner", "expires", "file", "line"}

_effects := {"allow", "deny", "hold"}

_who := {"agents", "kinds", "labels", "owners", "groups"}

_names := {"server_tags", "server_environments", "tool_tags"}

_patterns := {"servers", "tools", "resources", "prompts"}

_actions := {"read", "write", "delete", "send", "execute", "list", "unknown"}

_days := {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

well_formed(id, rule) if {
	object.keys(rule) == _keys
	rule.rule == id
	rule.effect in _effects
	_who_is_well_formed(rule.who)
	_what_is_well_formed(rule.what)
	_when_is_well_formed(rule.when)
	conditions.well_formed(rule.arguments)
	rule.mode in {null, "shadow", "warn"}
	is_string(rule.reason)
	is_string(rule.owner)
	_expiry_is_well_formed(rule.expires)
}

_who_is_well_formed(who) if who == {}

_who_is_well_formed(who) if {
	is_object(who)
	count(who) > 0
	every field, values in who {
		field in _who
		names(values)
	}
}

_what_is_well_formed(what) if what == {}

_what_is_well_formed(what) if {
	is_object(what)
	count(what) > 0
	every field, values in what { _field(field, values) }
}

_field(field, values) if {
	field in _names
	names(values)
}

_field(field, values) if {
	field in _patterns
	globs(values)
}

_field("actions", values) if actions(values)

_when_is_well_formed(when) if is_null(when)

_when_is_well_formed(when) if {
	is_object(when)
	count(when) > 0
	every field, value in when { _moment(field, value) }
}

_moment("days", value) if days(value)

_moment("hours", value) if hours(value)

_moment("time_zone", value) if clock.zone(value)

_expiry_is_well_formed(expires) if is_null(expires)

_expiry_is_well_formed(expires) if clock.instant(expires)

# METADATA
# description: True for a list of texts with at least one.
names(values) if {
	is_array(values)
	count(values) > 0
	every value in values {
		is_string(value)
		value != ""
	}
}

# METADATA
# description: True for a list of patterns with at least one.
globs(values) if {
	is_array(values)
	count(values) > 0
	every value in values { patterns.valid(value) }
}

# METADATA
# description: True for a list of actions with at least one.
actions(values) if {
	names(values)
	count(values) > 0
	every value in values { value in _actions }
}

# METADATA
# description: True for a list of weekdays with at least one.
days(values) if {
	names(values)
	count(values) > 0
	every value in values { value in _days }
}

# METADATA
# description: True for a span of hours, as `18:00-08:00`; it may wrap midnight and may not be empty.
hours(text) if {
	is_string(text)
	regex.match(`^(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`, text)
	[start, end] := split(text, "-")
	start != end
}
