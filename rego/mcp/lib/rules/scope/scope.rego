# METADATA
# title: The scope of a rule
# description: |
#   Whether a rule concerns the message, leaving its argument conditions aside. Rule 1: `excludes` is true where a
#   well-formed part proves that it does not; `covers` is true where every part of a well-formed rule proves that it
#   does; between the two a rule refuses and does not permit. Rule 2: an unknown action is each of the actions.
#   Rule 3: a message without a target is concerned by whatever gives something on the server, and refused by what
#   refuses the whole server.
package mcp.lib.rules.scope

import data.mcp.lib.call
import data.mcp.lib.clock
import data.mcp.lib.patterns
import data.mcp.lib.rules.candidates
import data.mcp.lib.rules.shape

# METADATA
# description: True where a rule surely does not concern the message.
excludes(rule) if {
	not call.targetless
	call.action in call.actions
	shape.actions(rule.what.actions)
	not call.action in rule.what.actions
}

excludes(rule) if {
	field := _field_of[input.target.type]
	_none_matches(rule.what[field], call.target_text)
}

excludes(rule) if {
	own := _field_of[input.target.type]
	some field in _target_fields
	field != own
	shape.globs(rule.what[field])
	not rule.what[own]
}

excludes(rule) if {
	not call.targetless
	is_array(call.target.tags)
	_none_of(rule.what.tool_tags, {tag | some tag in call.target.tags})
}

excludes(rule) if _none_matches(rule.what.servers, input.server.id)

excludes(rule) if {
	is_string(call.server.environment)
	_none_of(rule.what.server_environments, {call.server.environment})
}

excludes(rule) if {
	is_array(call.server.tags)
	_none_of(rule.what.server_tags, {tag | some tag in call.server.tags})
}

excludes(rule) if {
	some field, values in rule.who
	_none_of(values, candidates.who[field])
}

excludes(rule) if {
	call.targetless
	rule.effect == "deny"
	some field in ["tools", "resources", "prompts", "tool_tags", "actions"]
	shape.names(rule.what[field])
}

excludes(rule) if {
	call.targetless
	rule.effect == "deny"
	is_array(rule.arguments)
	count(rule.arguments) > 0
}

excludes(rule) if {
	shape.days(rule.when.days)
	day := clock.weekday(_zone(rule.when))
	not day in rule.when.days
}

excludes(rule) if {
	shape.hours(rule.when.hours)
	now := clock.time_of_day(_zone(rule.when))
	not _within(rule.when.hours, now)
}

excludes(rule) if {
	rule.mode == null
	clock.after(rule.expires)
}

# METADATA
# description: True where a well-formed rule surely concerns the message.
covers(rule) if {
	_covers_who(rule.who)
	_covers_what(rule.what)
	_covers_when(rule.when)
	clock.unexpired(rule.expires)
}

_covers_who(who) if who == {}

_covers_who(who) if {
	count(who) > 0
	every field, values in who {
		some value in values
		value in candidates.who[field]
	}
}

_covers_what(what) if what == {}

_covers_what(what) if {
	count(what) > 0
	every field, values in what { _covers(field, values, what) }
}

_covers("servers", values, _) if {
	some pattern in values
	patterns.matches(pattern, input.server.id)
}

_covers("server_tags", values, _) if {
	some tag in values
	tag in call.server.tags
}

_covers("server_environments", values, _) if call.server.environment in values

_covers(field, _, _) if {
	call.targetless
	field in {"tools", "resources", "prompts", "tool_tags", "actions"}
}

_covers("tool_tags", values, _) if {
	some tag in values
	tag in call.target.tags
}

_covers("actions", values, _) if call.action in values

_covers("actions", values, _) if {
	call.action == "unknown"
	every action in {"read", "write", "delete", "send", "execute", "list"} { action in values }
}

_covers(field, values, _) if {
	field == _field_of[input.target.type]
	some pattern in values
	patterns.matches(pattern, call.target_text)
}

# A rule that names tools and resources concerns either; the field of the target's own kind decides.
_covers(field, _, what) if {
	field in _target_fields
	what[_field_of[input.target.type]]
}

_covers_when(when) if is_null(when)

_covers_when(when) if {
	count(when) > 0
	every field, value in when { _covers_moment(field, value, when) }
}

_covers_moment("days", days, when) if clock.weekday(_zone(when)) in days

_covers_moment("hours", hours, when) if _within(hours, clock.time_of_day(_zone(when)))

_covers_moment("time_zone", _, _)

_target_fields := {"tools", "resources", "prompts"}

_field_of := {"tool": "tools", "resource": "resources", "prompt": "prompts", "task": "tasks"}

_none_of(values, facts) if {
	is_array(values)
	count(values) > 0
	every value in values {
		is_string(value)
		value != ""
		not value in facts
	}
}

_none_matches(values, text) if {
	is_array(values)
	count(values) > 0
	every pattern in values {
		patterns.valid(pattern)
		not patterns.matches(pattern, text)
	}
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
	_outside(end, start, now)
}

_outside(_, start, now) if now >= start

_outside(end, _, now) if now < end
