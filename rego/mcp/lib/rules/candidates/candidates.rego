# METADATA
# title: Candidate rules
# description: |
#   The rules that the index offers for this message, by server, action and caller. Rule 1: the build decides everything
#   that it can: `allow` contains the permissions that need no further judgment, and `look` the rules that must be
#   judged, each with a hint about its targets. Rule 2: the cost grows with the number of offered rules, not with the
#   number of all rules. Rule 3: a rule that differs from the one that the build checked is damaged and refuses.
package mcp.lib.rules.candidates

import data.mcp.lib.call
import data.mcp.lib.principal
import data.mcp.lib.rules.people
import data.mcp.lib.rules.seals
import data.mcp.lib.rules.standing

# METADATA
# description: The rules that the index offers for this message. Empty if the index is damaged.
offer := offered if {
	offered := offers[_row]
} else := {"complete": false, "allow": set(), "look": {}}

# METADATA
# description: |
#   The rules that the index offers for this caller on this server, by row. There is one row for each action, and `none`
#   for messages without a target. A list of items is judged with all rows at once.
offers[row] := {
	"complete": count(looks) == count(leaves),
	"allow": {id | some leaf in leaves; some id in leaf.allow},
	"look": object.union_n(looks),
} if {
	some row in _rows
	is_array(_keys)
	leaves := array.concat(
		[data.index.rules["*"][row].any, data.index.rules[input.server.id][row].any],
		[leaf |
			some key in _keys
			some server in ["*", input.server.id]
			leaf := data.index.rules[server][row][key]
		],
	)

	# A damaged list of refusals is detected. A lost permission permits nothing.
	looks := [leaf.look | some leaf in leaves; is_object(leaf.look)]
}

# METADATA
# description: |
#   A rule that the build checked, and its standing for this caller at this time, which is the same for every item of a
#   list. Undefined for a damaged rule.
read[id] := {"rule": rule, "stands": standing.of(rule)} if {
	rule := data.rules[id]
	seals.fits(id, rule)
}

# METADATA
# description: True if the bundle has an index. If deeper parts of it are missing, the rules permit nothing.
present if is_object(data.index.rules["*"].none.any.look)

_rows := {"read", "write", "delete", "send", "execute", "list", "unknown", "none"}

# If no rule is indexed by subject or client id, they are not looked up.
_keys := _own_keys if {
	data.index.people == false
} else := array.concat(_own_keys, people.keys) if data.index.people == true

_own_keys := data.index.who[principal.agent_id] if {
	input.principal.groups == []
	principal.unknown == set()
} else := array.concat(
	_agent_keys,
	array.concat(
		[concat(":", ["group", group]) | some group in principal.groups; is_string(group)],
		# The rules that restrict by an unknown claim.
		[concat(":", ["unknown", field]) | some field in principal.unknown; is_string(field)],
	),
)

_agent_keys := data.index.who[principal.agent_id] if is_array(data.index.who[principal.agent_id])

_row := "none" if {
	input.target.type == "none"
} else := call.action
