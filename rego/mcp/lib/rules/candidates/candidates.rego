# METADATA
# title: Candidate rules
# description: |
#   The rules that the index offers for this message: by server, by action, by who asks. Rule 1: what the build could
#   decide it has decided: `allow` holds permissions of which nothing is left to judge, `look` the rules that have to be
#   looked at, each with a hint at the targets that it is about. Rule 2: cost grows with what is offered, not with what
#   exists. Rule 3: a rule is what the build checked, or it is damaged and refuses.
package mcp.lib.rules.candidates

import data.mcp.lib.call
import data.mcp.lib.catalog
import data.mcp.lib.principal
import data.mcp.lib.rules.seals
import data.mcp.lib.rules.standing

# METADATA
# description: What the index offers for this message; nothing where the index is damaged.
offer := offered if {
	offered := offers[_row]
} else := {"complete": false, "allow": set(), "look": set()}

# METADATA
# description: |
#   What the index offers this caller on this server, by row: one for each action, and `none` for messages without a
#   target. A list of items is judged with all rows at once.
offers[row] := {
	"complete": _is_complete(leaves),
	"allow": {id | some leaf in leaves; some id in leaf.allow},
	"look": {[id, hint] | some leaf in leaves; some id, hint in leaf.look},
} if {
	some row in _rows
	leaves := array.concat(
		[data.index.rules["*"][row].any, data.index.rules[input.server.id][row].any],
		[leaf |
			some key in _keys
			some server in ["*", input.server.id]
			leaf := data.index.rules[server][row][key]
		],
	)
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
# description: True where the index knows the server and the agent of the message, as far as the bundle has them at all.
present if {
	is_object(data.index.rules["*"].none.any.look)
	_server_is_indexed
	_agent_is_indexed
}

_server_is_indexed if is_object(data.index.rules[input.server.id].none.any.look)

_server_is_indexed if not catalog.server

_agent_is_indexed if is_array(data.index.who[principal.agent_id])

_agent_is_indexed if not principal.agent

# The index has what every bundle has. A permission that is lost there permits nothing.
_is_complete(leaves) if {
	is_array(_keys)
	count(leaves) > 1
	every leaf in leaves { is_object(leaf.look) }
} else := false

_rows := {"read", "write", "delete", "send", "execute", "list", "unknown", "none"}

_keys := array.concat(data.index.who[principal.agent_id], _groups) if is_array(data.index.who[principal.agent_id])

_groups := [concat(":", ["group", group]) | some group in principal.groups; is_string(group)]

_row := "none" if {
	input.target.type == "none"
} else := call.action
