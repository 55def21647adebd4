# METADATA
# title: Words of the rules
# description: The messages to the agent if a rule refuses or holds a message, or if no rule permits it.
package mcp.lib.rules.words

import data.mcp.lib.call
import data.mcp.lib.principal
import data.mcp.lib.rules
import data.mcp.lib.rules.candidates
import data.mcp.lib.rules.people
import data.mcp.lib.rules.scope
import data.mcp.lib.rules.standing

refusal(id) := sprintf("Rule `%v` differs from the one that the build checked, and refuses until it is built again", [id]) if {
	not candidates.read[id]
} else := _said(id, "refuses this")

approval(id) := _said(id, "requires approval for this")

relaxed(id) := _said(id, "would apply if it were in force")

nothing_permits := concat("", [_nothing_permits, _unread])

_nothing_permits := sprintf("No rule permits agent `%v` anything on server `%v`", [call.agent_id, input.server.id]) if {
	call.targetless
} else := sprintf("No rule permits agent `%v` to use %v `%v` of server `%v`. Its action is unknown, and only a rule for every action applies to it", [
	call.agent_id,
	input.target.type,
	call.target_text,
	input.server.id,
]) if {
	call.action == "unknown"
} else := sprintf("No rule permits agent `%v` the action `%v` on %v `%v` of server `%v`", [
	call.agent_id,
	call.action,
	input.target.type,
	call.target_text,
	input.server.id,
])

_unread := concat("", array.concat(
	[sprintf(". %v (some rules need this to permit)", [principal.unreadable(field)]) | some field in _unfound],
	[sprintf(". %v (a rule needs this to permit)", [text]) | some text in _unjudged],
))

# A permission for a group, a subject or a client is not found if that field is unknown.
_unfound contains field if {
	some field, key in {"groups": "group:", "subject": "subject:", "client_id": "client_id:"}
	field in principal.unknown
	some server in ["*", input.server.id]
	some found, _ in data.index.rules[server][_]
	startswith(found, key)
}

# The unknown fields that the rules that were found, or their exceptions, need in addition.
_unjudged contains text if {
	some id, hint in candidates.offer.look
	scope.is_hinted(hint)
	rule := candidates.read[id].rule
	rule.effect == "allow"
	some text in _unread_by(rule)
	not text in {principal.unreadable(field) | some field in _unfound}
}

# The unknown facts about the caller that a rule needs, or its exception unless that surely does not fit.
_unread_by(rule) := _unread_of(rule.who) | {text |
	who := rule.unless.who
	not standing.misses(rule.unless)
	some text in _unread_of(who)
}

_unread_of(who) := {principal.unreadable(field) | some field in standing.unknown(who)} | {text | some text in people.unread(who)}

_said(id, otherwise) := sprintf("Rule `%v`%v: %v", [id, _doubt(id), rules.ground(id).because]) if {
	rules.ground(id).because != ""
} else := sprintf("Rule `%v`%v %v", [id, _doubt(id), otherwise])

# A rule about some actions applies to a target of unknown action, because the action may be one of them.
_doubt(id) := concat("", [_of_action(id), _of_claims(id)])

_of_action(id) := sprintf(" (it applies only because the action of %v `%v` is unknown)", [
	input.target.type,
	call.target_text,
]) if {
	call.action == "unknown"
	actions := candidates.read[id].rule.what.actions
	not "unknown" in actions
} else := ""

# A rule about some people applies to a caller with unknown claims, because the caller may be one of them.
_of_claims(id) := sprintf(" (it depends on who the caller is. %v)", [concat(". ", unreadable)]) if {
	unreadable := _unread_by(candidates.read[id].rule)
	count(unreadable) > 0
} else := ""
