# METADATA
# title: Candidate rules
# description: |
#   The rules that the index offers for this message: by server, by action, by who asks. Rule 1: what the build could
#   decide it has decided: `allow` holds permissions of which nothing is left to judge, `look` the rules that have to be
#   looked at, each with a hint at the targets that it is about. Rule 2: cost grows with what is offered, not with what
#   exists. Rule 3: a rule is what the build checked, or it is damaged and refuses.
package mcp.lib.rules.candidates

import data.mcp.lib.call
import data.mcp.lib.principal
import data.mcp.lib.rules.people
import data.mcp.lib.rules.seals
import data.mcp.lib.rules.standing

# METADATA
# description: What the index offers for this message; nothing where the index is damaged.
offer := offered if {
	offered := offers[_row]
} else := {"complete": false, "allow": set(), "look": {}}

# METADATA
# description: |
#   What the index offers this caller on this server, by row: one for each action, and `none` for messages without a
#   target. A list of items is judged with all rows at once.
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

	# A list of refusals that is damaged is seen; a permission that is lost permits nothing.
	looks := [leaf.look | some leaf in leaves; is_object(leaf.look)]
}

# METADATA
# description: |
#   A rule that is what the build checked, and how it stands for this caller at this moment, which is the same for every
#   item of a list. Undefined for a damaged one.
read[id] := {"rule": rule, "stands": standing.of(rule)} if {
	rule := data.rules[id]
	seals.fits(id, rule)
}

# METADATA
# description: True if the bundle has an index at all; of what is missing deeper, the rules permit nothing.
present if is_object(data.index.rules["*"].none.any.look)

_rows := {"read", "write", "delete", "send", "execute", "list", "unknown", "none"}

# Where no rule is indexed by subject or client id, nothing is looked up by them.
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
		# What restricts by a claim that is unknown.
		[concat(":", ["unknown", field]) | some field in principal.unknown; is_string(field)],
	),
)

_agent_keys := data.index.who[principal.agent_id] if is_array(data.index.who[principal.agent_id])

_row := "none" if {
	input.target.type == "none"
} else := call.action
