# METADATA
# title: Agents
# description: |
#   Whether the registration of the agent is complete and in force, and what the agent is registered for. Rule 1: an
#   entry that differs from the one that the build checked counts as missing. Rule 2: an unknown action is in scope only
#   if every action is.
package mcp.lib.agents

import data.mcp.lib.call
import data.mcp.lib.clock
import data.mcp.lib.patterns
import data.mcp.lib.principal

registered if {
	agent := principal.agent
	crypto.sha256(json.marshal(agent)) == data.index.agent_seals[principal.agent_id]
	agent.owner != ""
	agent.purpose != ""
	agent.kind != ""
	clock.unexpired(agent.expires)
}

server_in_scope if "*" in principal.agent.scope.servers

server_in_scope if {
	some pattern in principal.agent.scope.servers
	patterns.matches(pattern, input.server.id)
}

action_in_scope if "*" in principal.agent.scope.actions

action_in_scope if {
	call.action in call.actions
	call.action in principal.agent.scope.actions
}

action_in_scope if call.targetless

# METADATA
# description: The reason why the registration of an agent is not in force.
registration_complaint := sprintf("The registration of agent `%v` has expired", [principal.agent_id]) if {
	clock.after(principal.agent.expires)
} else := sprintf("The groups of this principal lead to several agents (%v), so it acts as none of them", [_several]) if {
	count(principal.rival_agents) > 1
} else := sprintf("The policy cannot determine which agent the token belongs to. %v", [concat(". ", _unread)]) if {
	count(_unread) > 0
} else := "No agent is registered for this credential" if {
	not principal.agent
} else := sprintf("The registration of agent `%v` differs from the one that the build checked", [principal.agent_id])

_several := concat(", ", [text |
	some id in principal.rival_agents
	text := sprintf("%v", [id])
])

_unread := [principal.unreadable(field) | some field in principal.undecided_by]

# METADATA
# description: The reason why a message is outside the scope of the agent.
scope_complaint := sprintf("Agent `%v` is not registered for server `%v`", [principal.agent_id, input.server.id]) if {
	principal.agent
	not server_in_scope
} else := sprintf("The action of %v `%v` is unknown, and agent `%v` is not registered for every action", [
	input.target.type,
	call.target_text,
	principal.agent_id,
]) if {
	principal.agent
	call.action == "unknown"
} else := sprintf("Agent `%v` is not registered for the action `%v`", [principal.agent_id, call.action]) if {
	principal.agent
}
