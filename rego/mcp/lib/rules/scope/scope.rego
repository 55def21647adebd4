# METADATA
# title: The scope of a rule
# description: |
#   Whether a rule that stands applies to the target of the message. Rule 1: `misses` is true if a part of `what` surely
#   does not fit, and `reaches` is true if every part surely fits. In between (an unknown action, damaged tags) a rule
#   refuses and does not permit. Rule 2: an unknown action counts as each of the actions. Rule 3: a message without a
#   target is reached by every rule that permits or holds something on the server, and missed by all refusals except
#   those of the whole server. Rule 4: a rule about data classes surely fits a target if it names all its classes, and
#   surely does not fit if it names none of them.
package mcp.lib.rules.scope

import data.mcp.lib.call
import data.mcp.lib.catalog
import data.mcp.lib.patterns
import data.mcp.lib.rules.standing

# METADATA
# description: True unless the hint of the index says that a rule applies to other targets.
is_hinted(null)

is_hinted(hint) if {
	some pattern in hint[_field]
	glob.match(pattern, null, _text)
}

is_hinted(hint) if {
	some class in hint.data
	class in catalog.data_classes
}

is_hinted(hint) if {
	hint.data
	not catalog.data_classes
}

_text := call.target_text if is_string(call.target_text)

# METADATA
# description: True if a refusal surely does not apply to this target.
misses(rule) if not _fits_target(rule.what)

misses(rule) if {
	is_array(catalog.target.tags)
	not _fits_tags(rule.what)
}

misses(rule) if {
	rule.what.data
	not _shares_data(rule.what)
}

misses(rule) if {
	is_string(catalog.target.reach)
	not _fits_reach(rule.what)
}

misses(rule) if {
	call.action in call.actions
	not _fits_action(rule.what)
}

misses(rule) if {
	call.targetless
	some field in ["tool_tags", "data", "reach", "actions"]
	rule.what[field]
}

misses(rule) if {
	call.targetless
	rule.arguments != []
}

# The exception of the rule could fit a message that has arguments.
misses(rule) if {
	call.targetless
	is_excepted_by_arguments(rule)
}

# METADATA
# description: True if only the arguments decide whether the exception of a rule fits.
is_excepted_by_arguments(rule) if {
	count(rule.unless.arguments) > 0
	not standing.misses(rule.unless)
}

# METADATA
# description: |
#   True if a permission surely applies to this target, or if the message has no target and the rule permits something
#   on the server.
reaches(rule) if {
	_fits_target(rule.what)
	_fits_tags(rule.what)
	_fits_data(rule.what)
	_fits_reach(rule.what)
	_fits_action(rule.what)
}

reaches(_) if call.targetless

_fits_target(what) if call.target_text in what[_field]

_fits_target(what) if {
	some pattern in what[_field]
	patterns.matches(pattern, call.target_text)
}

_fits_target(what) if {
	not what.tools
	not what.resources
	not what.prompts
}

_fits_tags(what) if not what.tool_tags

_fits_tags(what) if {
	some tag in what.tool_tags
	tag in catalog.target.tags
}

_fits_data(what) if not what.data

_fits_data(what) if {
	count(catalog.data_classes) > 0
	every class in catalog.data_classes { class in what.data }
}

_shares_data(_) if not catalog.data_classes

_shares_data(what) if {
	some class in catalog.data_classes
	class in what.data
}

_fits_reach(what) if not what.reach

_fits_reach(what) if what.reach == catalog.target.reach

_fits_action(what) if not what.actions

_fits_action(what) if call.action in what.actions

_fits_action(what) if {
	call.action == "unknown"
	every action in {"read", "write", "delete", "send", "execute", "list"} { action in what.actions }
}

_field := {"tool": "tools", "resource": "resources", "prompt": "prompts", "task": "tasks", "none": ""}[input.target.type]
