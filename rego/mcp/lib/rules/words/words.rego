# METADATA
# title: Words of the rules
# description: What is said to the agent when a rule refuses, holds, or none permits.
package mcp.lib.rules.words

import data.mcp.lib.call
import data.mcp.lib.principal
import data.mcp.lib.rules
import data.mcp.lib.rules.candidates
import data.mcp.lib.rules.people
import data.mcp.lib.rules.scope
import data.mcp.lib.rules.standing

refusal(id) := sprintf("rule %v is not what the build checked, and refuses until it is built again", [id]) if {
	not candidates.read[id]
} else := _said(id, "refuses this")

approval(id) := _said(id, "asks for approval of this")

relaxed(id) := _said(id, "would apply if it were in force")

nothing_permits := concat("", [_nothing_permits, _unread])

_nothing_permits := sprintf("no rule gives agent %v anything on server %v", [call.agent_id, input.server.id]) if {
	call.targetless
} else := sprintf("no rule permits agent %v to use %v %v of server %v: its action is unknown, and only a rule for every action is about it", [
	call.agent_id,
	input.target.type,
	call.target_text,
	input.server.id,
]) if {
	call.action == "unknown"
} else := sprintf("no rule permits agent %v the action %v on %v %v of server %v", [
	call.agent_id,
	call.action,
	input.target.type,
	call.target_text,
	input.server.id,
])

_unread := concat("", array.concat(
	[sprintf("; %v, and rules permit by them", [principal.unreadable(field)]) | some field in _unfound],
	[sprintf("; %v, and a rule permits by it", [text]) | some text in _unjudged],
))

# A permission of a group, a subject or a client is not found without it.
_unfound contains field if {
	some field, key in {"groups": "group:", "subject": "subject:", "client_id": "client_id:"}
	field in principal.unknown
	some server in ["*", input.server.id]
	some found, _ in data.index.rules[server][_]
	startswith(found, key)
}

# What a rule that is found asks besides, and what its exception asks.
_unjudged contains text if {
	some id, hint in candidates.offer.look
	scope.is_hinted(hint)
	rule := candidates.read[id].rule
	rule.effect == "allow"
	some text in _unread_by(rule)
	not text in {principal.unreadable(field) | some field in _unfound}
}

# What a rule, or its exception unless that surely does not fit, asks of the caller and nobody can say.
_unread_by(rule) := _unread_of(rule.who) | {text |
	who := rule.unless.who
	not standing.misses(rule.unless)
	some text in _unread_of(who)
}

_unread_of(who) := {principal.unreadable(field) | some field in standing.unknown(who)} | {text | some text in people.unread(who)}

_said(id, otherwise) := sprintf("rule %v%v: %v", [id, _doubt(id), rules.ground(id).because]) if {
	rules.ground(id).because != ""
} else := sprintf("rule %v%v %v", [id, _doubt(id), otherwise])

# A rule about some actions is about a target of unknown action because nobody knows better.
_doubt(id) := concat("", [_of_action(id), _of_claims(id)])

_of_action(id) := sprintf(" (it is about %v %v only because the action of that is unknown)", [
	input.target.type,
	call.target_text,
]) if {
	call.action == "unknown"
	actions := candidates.read[id].rule.what.actions
	not "unknown" in actions
} else := ""

# A rule about some people is about a caller of unknown claims because nobody knows better.
_of_claims(id) := sprintf(" (it asks who the caller is, and %v)", [concat("; ", unreadable)]) if {
	unreadable := _unread_by(candidates.read[id].rule)
	count(unreadable) > 0
} else := ""
