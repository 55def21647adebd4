# METADATA
# title: The scope of a rule
# description: |
#   Whether a rule concerns the message, leaving its argument conditions aside. Rule 1: `excludes` is true where a
#   part of the rule surely does not fit, `covers` where every part surely does; between the two (an unknown action,
#   damaged data) a rule refuses and does not permit. Rule 2: an unknown action is each of the actions. Rule 3: a message
#   without a target is concerned by whatever gives something on the server, and refused by what refuses all of it.
package mcp.lib.rules.scope

import data.mcp.lib.call
import data.mcp.lib.clock
import data.mcp.lib.patterns
import data.mcp.lib.principal

# METADATA
# description: True where a rule surely does not concern the message.
excludes(rule) if {
	some field, values in rule.what
	_what_excludes(field, values, rule.what)
}

excludes(rule) if {
	some field, values in rule.who
	_is_someone_else(field, values)
}

excludes(rule) if {
	is_object(rule.when)
	_is_another_time(rule.when)
}

excludes(rule) if {
	is_null(rule.mode)
	clock.after(rule.expires)
}

excludes(rule) if {
	rule.arguments != []
	call.targetless
}

# METADATA
# description: True where a rule surely concerns the message.
covers(rule) if {
	_covers_what(rule.what)
	_covers_who(rule.who)
	_covers_when(rule.when)
	clock.unexpired(rule.expires)
}

_what_excludes("servers", patterns, _) if _none_matches(patterns, input.server.id)

_what_excludes("server_tags", tags, _) if _has_none(call.server.tags, tags)

_what_excludes("server_environments", names, _) if {
	is_string(call.server.environment)
	not call.server.environment in names
}

_what_excludes("tools", patterns, what) if _target_is_excluded("tools", patterns, what)

_what_excludes("resources", patterns, what) if _target_is_excluded("resources", patterns, what)

_what_excludes("prompts", patterns, what) if _target_is_excluded("prompts", patterns, what)

_what_excludes("tool_tags", _, _) if call.targetless

_what_excludes("tool_tags", tags, _) if _has_none(call.target.tags, tags)

_what_excludes("actions", _, _) if call.targetless

_what_excludes("actions", actions, _) if {
	call.action in call.actions
	not call.action in actions
}

_target_is_excluded(field, patterns, _) if {
	field == _field
	_none_matches(patterns, call.target_text)
}

# A rule that names only targets of other kinds.
_target_is_excluded(field, _, what) if {
	field != _field
	not what[_field]
}

_none_matches(patterns, text) if not _some_matches(patterns, text)

_has_none(tags, wanted) if {
	is_array(tags)
	not _has_some(tags, wanted)
}

_has_some(tags, wanted) if {
	some tag in wanted
	tag in tags
}

_some_matches(globs, text) if {
	some glob in globs
	patterns.matches(glob, text)
}

_is_someone_else("groups", groups) if not _has_some(principal.groups, groups)

_is_someone_else(field, names) if {
	field in {"agents", "kinds", "labels", "owners"}
	not _names_agent(field, names)
}

_names_agent("agents", names) if call.agent_id in names

_names_agent("kinds", names) if call.agent.kind in names

_names_agent("labels", names) if _has_some(call.agent.labels, names)

_names_agent("owners", names) if call.agent.owner in names

_is_another_time(when) if {
	day := clock.weekday(_zone(when))
	not day in when.days
}

_is_another_time(when) if {
	now := clock.time_of_day(_zone(when))
	is_string(when.hours)
	not _within(when.hours, now)
}

_covers_what(what) if what == {}

_covers_what(what) if {
	what != {}
	every field, values in what { _fits(field, values, what) }
}

_fits("servers", patterns, _) if _some_matches(patterns, input.server.id)

_fits("server_tags", tags, _) if _has_some(call.server.tags, tags)

_fits("server_environments", names, _) if call.server.environment in names

_fits("tools", patterns, what) if _fits_target("tools", patterns, what)

_fits("resources", patterns, what) if _fits_target("resources", patterns, what)

_fits("prompts", patterns, what) if _fits_target("prompts", patterns, what)

_fits("tool_tags", _, _) if call.targetless

_fits("tool_tags", tags, _) if _has_some(call.target.tags, tags)

_fits("actions", _, _) if call.targetless

_fits("actions", actions, _) if call.action in actions

_fits("actions", actions, _) if {
	call.action == "unknown"
	every action in {"read", "write", "delete", "send", "execute", "list"} { action in actions }
}

_fits_target(_, _, _) if call.targetless

_fits_target(field, patterns, _) if {
	field == _field
	_some_matches(patterns, call.target_text)
}

# A rule that names tools and resources concerns either; the field of the target's own kind decides.
_fits_target(field, _, what) if {
	field != _field
	what[_field]
}

_covers_who(who) if who == {}

_covers_who(who) if {
	who != {}
	every field, names in who { _is_asked_by(field, names) }
}

_is_asked_by("groups", groups) if _has_some(principal.groups, groups)

_is_asked_by(field, names) if _names_agent(field, names)

_covers_when(when) if is_null(when)

_covers_when(when) if {
	is_object(when)
	clock.zone(_zone(when))
	not _is_another_time(when)
}

_field := "tools" if {
	input.target.type == "tool"
} else := "resources" if {
	input.target.type == "resource"
} else := "prompts" if {
	input.target.type == "prompt"
} else := ""

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
