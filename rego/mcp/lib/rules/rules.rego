# METADATA
# title: Rules
# description: |
#   The verdict of the YAML rules on the message. Rule 1: deny beats hold beats allow beats nothing, and order never
#   matters. Rule 2: a rule refuses unless it surely does not apply, and permits only where it surely does. Rule 3: a
#   damaged rule refuses, by its name. Rule 4: `permitted_without_arguments` reads no arguments: a refusal with argument
#   conditions does not count there, a permission with conditions does.
package mcp.lib.rules

import data.mcp.lib.call
import data.mcp.lib.clock
import data.mcp.lib.conditions
import data.mcp.lib.rules.candidates
import data.mcp.lib.rules.scope

permitted_without_arguments if {
	not _refused_always
	_admitted
}

permitted if {
	count(refusing) == 0
	_permitted
}

# METADATA
# description: The ids of the rules that refuse the message, damaged ones included.
refusing := candidates.damaged | {id |
	some id, rule in _restricting
	rule.effect == "deny"
	not _some_condition_fails(rule)
}

# METADATA
# description: The ids of the rules that ask for approval of the message.
holding contains id if {
	some id, rule in _restricting
	rule.effect == "hold"
	not call.targetless
	not _some_condition_fails(rule)
}

# METADATA
# description: The ids of the rules that permit the message.
allowing contains id if {
	some id, rule in _granting
	rule.effect == "allow"
	_every_condition_holds(rule)
}

# METADATA
# description: The ids of the rules that would refuse, hold or permit, were they not in the mode `warn`.
warning contains id if {
	some id, rule in candidates.sound.relaxed
	rule.mode == "warn"
	_would_apply(rule)
}

# METADATA
# description: The ids of the rules that would refuse, hold or permit, were they not in the mode `shadow`.
shadowing contains id if {
	some id, rule in candidates.sound.relaxed
	rule.mode == "shadow"
	_would_apply(rule)
}

# METADATA
# description: True where this environment allows what no rule refuses.
allowing_by_default if data.environment.default == "allow"

# METADATA
# description: The ground of an allow by default.
default_ground := {
	"rule": "default",
	"effect": "allow",
	"owner": "",
	"because": "no rule refuses it, and this environment allows what no rule refuses",
	"expires": null,
} if {
	allowing_by_default
}

# METADATA
# description: What a rule says of itself, as grounds.
ground(id) := {
	"rule": id,
	"effect": rule.effect,
	"owner": rule.owner,
	"because": rule.reason,
	"expires": rule.expires,
} if {
	rule := candidates.sound[_][id]
} else := {
	"rule": sprintf("%v", [id]),
	"effect": "deny",
	"owner": "",
	"because": "the rule is not what the build checked",
	"expires": null,
}

_refused_always if count(candidates.damaged) > 0

_refused_always if {
	some rule in _restricting
	rule.effect == "deny"
	rule.arguments == []
}

_admitted if count(_granting) > 0

_admitted if allowing_by_default

_permitted if {
	some rule in _granting
	_every_condition_holds(rule)
}

_permitted if allowing_by_default

# Refusals and holds that are not surely about something else, whatever their mode.
_restricting[id] := rule if {
	some id, rule in candidates.sound.deny
	not scope.excludes(rule)
}

_restricting[id] := rule if {
	some id, rule in candidates.sound.hold
	not scope.excludes(rule)
}

_restricting[id] := rule if {
	some id, rule in candidates.sound.relaxed
	rule.effect != "allow"
	not _mode_is_effective(rule)
	not scope.excludes(rule)
}

# Permissions and holds that surely concern the message.
_granting[id] := rule if {
	some id, rule in candidates.sound.allow
	scope.covers(rule)
}

_granting[id] := rule if {
	some id, rule in candidates.sound.hold
	scope.covers(rule)
}

_mode_is_effective(rule) if {
	rule.owner != ""
	rule.reason != ""
	clock.before(rule.expires)
}

# A refusal is relaxed by a mode in effect only; a permission that carries any mode never permits.
_would_apply(rule) if {
	rule.effect == "allow"
	scope.covers(rule)
	_every_condition_holds(rule)
}

_would_apply(rule) if {
	rule.effect != "allow"
	_mode_is_effective(rule)
	not scope.excludes(rule)
	not _some_condition_fails(rule)
}

_every_condition_holds(rule) if rule.arguments == []

_every_condition_holds(rule) if {
	rule.arguments != []
	call.targetless
}

_every_condition_holds(rule) if {
	rule.arguments != []
	every condition in rule.arguments { conditions.holds(condition) }
}

_some_condition_fails(rule) if {
	some condition in rule.arguments
	conditions.fails(condition)
}
