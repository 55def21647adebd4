# METADATA
# title: Candidate rules
# description: |
#   The rules that the index offers for this message: by server, by action, by who asks. Rule 1: what the index is made of
#   (servers, their tags and environments, the action, the first field of `who`) was resolved by the build; the rest of a
#   rule is judged here. Rule 2: cost grows with what is offered, not with what exists. Rule 3: a rule is what the build
#   checked, or it is damaged.
package mcp.lib.rules.candidates

import data.mcp.lib.call
import data.mcp.lib.principal
import data.mcp.lib.rules.seals

# METADATA
# description: The rules as the build checked them, by effect and id; those that carry a mode are in `relaxed`.
sound[kind][id] := rule if {
	some id in _ids
	rule := data.rules[id]
	seals.fits(id, rule)
	kind := _kind(rule)
}

_kind(rule) := rule.effect if {
	is_null(rule.mode)
} else := "relaxed"

# METADATA
# description: The ids of the rules that are not what the build checked; each refuses.
damaged contains id if {
	some id in _ids
	not _is_sound(id)
}

_is_sound(id) if seals.fits(id, data.rules[id])

# METADATA
# description: True where the index has the lists that every bundle has, and nothing but lists.
complete if {
	is_array(data.index.rules["*"][_row].any)
	_server_is_indexed
	is_array(_keys)
	count(_leaves) > 0
	every leaf in _leaves { is_array(leaf) }
}

_server_is_indexed if is_array(data.index.rules[input.server.id][_row].any)

# A server that is not in the catalog has no rules; `server_is_listed` refuses it.
_server_is_indexed if not call.server

_ids := {id |
	some leaf in _leaves
	some id in leaf
}

_leaves := [leaf |
	some key in _keys
	some server in ["*", input.server.id]
	leaf := data.index.rules[server][_row][key]
]

_keys := array.concat(data.index.who[principal.agent_id], _groups) if is_array(data.index.who[principal.agent_id])

_groups := [concat(":", ["group", group]) | some group in principal.groups; is_string(group)]

_row := "none" if {
	call.targetless
} else := call.action
