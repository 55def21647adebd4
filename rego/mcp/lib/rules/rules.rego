# METADATA
# title: Rules
# description: |
#   The verdict of the YAML rules on the message. Rule 1: deny beats hold beats allow beats nothing, and the order of
#   rules never matters. Rule 2: a rule refuses unless it surely does not apply, and permits only if it surely applies.
#   Rule 3: a damaged rule refuses and is named. Rule 4: `permitted_without_arguments` reads no arguments. A refusal
#   that has argument conditions, or whose exception has some, does not count there; a permission with conditions does.
#   Rule 5: an exception lifts a refusal if it surely fits, and keeps a permission if it surely does not fit.
package mcp.lib.rules

import data.mcp.lib.call
import data.mcp.lib.conditions
import data.mcp.lib.rules.candidates
import data.mcp.lib.rules.scope
import data.mcp.lib.rules.standing

permitted_without_arguments if {
	candidates.offer.complete
	_damaged == set()
	not _refused_always
	_admitted
}

permitted if {
	refusing == set()
	_permitted
}

# METADATA
# description: The ids of the rules that refuse the message, including damaged rules.
refusing := _damaged | {id |
	some id, rule in _restricting
	rule.effect == "deny"
	not _surely_fails(rule)
}

# METADATA
# description: The ids of the rules that require approval for the message.
holding := {id |
	some id, rule in _restricting
	rule.effect == "hold"
	not call.targetless
	not _surely_fails(rule)
}

# METADATA
# description: The ids of the rules that permit the message.
allowing := candidates.offer.allow | {id |
	some id, rule in _granting
	rule.effect == "allow"
	_surely_holds(rule)
}

# METADATA
# description: |
#   The ids of the holds that admit a message without a target. A caller whose calls on a server can be held for
#   approval may connect to the server and list its targets.
opening := {id |
	call.targetless
	some id, rule in _granting
	rule.effect == "hold"
}

# METADATA
# description: The ids of the rules that would refuse, hold or permit if they were not in this mode.
relaxed(mode) := {id |
	some id in _looked
	rule := candidates.read[id].rule
	rule.mode == mode
	_would_apply(id, rule)
}

# METADATA
# description: True if this environment allows messages that no rule refuses.
allowing_by_default if data.environment.default == "allow"

# METADATA
# description: |
#   The grounds on which the rules permit the message: the permissions, else the default of the environment, else, for a
#   message without a target, the rules that hold calls of some target.
grounds := [ground(id) | some id in allowing] if {
	not allowing == set()
} else := [{
	"rule": "default",
	"effect": "allow",
	"owner": "",
	"because": "No rule refuses the message, and this environment allows messages that no rule refuses",
	"expires": null,
}] if {
	allowing_by_default
} else := [_opened(id) | some id in opening] if {
	not opening == set()
}

_connects := "The rule holds calls for approval, and the callers may connect and list"

# For a message without a target the rule is a permission, so its grounds are those of an allow.
_opened(id) := object.union(ground(id), {
	"effect": "allow",
	"because": trim_suffix(sprintf("%v: %v", [_connects, ground(id).because]), ": "),
})

# METADATA
# description: The statements of a rule about itself, as grounds. Nothing is repeated from a damaged rule.
ground(id) := {
	"rule": id,
	"effect": rule.effect,
	"owner": rule.owner,
	"because": rule.reason,
	"expires": rule.expires,
} if {
	rule := candidates.read[id].rule
} else := {
	"rule": sprintf("%v", [id]),
	"effect": "deny",
	"owner": "",
	"because": "The rule differs from the one that the build checked",
	"expires": null,
}

# METADATA
# description: True if some rule has a mode, so there may be something to report.
some_is_relaxed if {
	some id in _looked
	not candidates.read[id].rule.mode == null
}

_looked := {id |
	some id, hint in candidates.offer.look
	scope.is_hinted(hint)
}

# Rules that differ from those that the build checked, and rules that the index lists as permissions but are not.
_damaged := {id |
	some id in _looked
	not candidates.read[id]
} | {id |
	some id in candidates.offer.allow
	not candidates.read[id].rule.effect == "allow"
}

# Refusals and holds that may apply to the message. A mode relaxes them only while it is in effect.
_restricting := {id: read.rule |
	some id in _looked
	read := candidates.read[id]
	not read.rule.effect == "allow"
	not read.stands == "not"
	not standing.is_relaxed(read.rule)
	not scope.misses(read.rule)
}

# Permissions and holds that surely apply to the message. A rule with a mode never permits.
_granting := {id: read.rule |
	some id in _looked
	read := candidates.read[id]
	not read.rule.effect == "deny"
	read.rule.mode == null
	read.stands == "surely"
	scope.reaches(read.rule)
}

_refused_always if {
	some rule in _restricting
	rule.effect == "deny"
	rule.arguments == []
	not scope.is_excepted_by_arguments(rule)
}

_admitted if not candidates.offer.allow == set()

_admitted if not _granting == {}

_admitted if allowing_by_default

_permitted if not candidates.offer.allow == set()

_permitted if {
	some rule in _granting
	_surely_holds(rule)
}

_permitted if allowing_by_default

_would_apply(id, rule) if {
	rule.effect == "allow"
	candidates.read[id].stands == "surely"
	scope.reaches(rule)
	_surely_holds(rule)
}

_would_apply(id, rule) if {
	not rule.effect == "allow"
	standing.is_relaxed(rule)
	not candidates.read[id].stands == "not"
	not scope.misses(rule)
	not _surely_fails(rule)
}

# Conditions on arguments do not apply to a message without a target.
_surely_holds(_) if call.targetless

_surely_holds(rule) if {
	not call.targetless
	_every_condition_holds(rule.arguments)
	not _may_be_excepted(rule)
}

_surely_fails(rule) if _some_condition_fails(rule.arguments)

_surely_fails(rule) if {
	count(rule.unless.arguments) > 0
	standing.fits(rule.unless)
	_every_condition_holds(rule.unless.arguments)
}

_may_be_excepted(rule) if {
	scope.is_excepted_by_arguments(rule)
	not _some_condition_fails(rule.unless.arguments)
}

_every_condition_holds(stated) if stated == []

_every_condition_holds(stated) if {
	count(stated) > 0
	every condition in stated { conditions.holds(condition) }
}

_some_condition_fails(stated) if {
	some condition in stated
	conditions.fails(condition)
}
