# METADATA
# title: Agents
# description: |
#   Whether the agent's registration is complete and in force, and what it was registered for. Rule 1: the entry is
#   what the build checked, or it is none. Rule 2: an unknown action is in scope only where every action is.
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
# description: What is said of an agent whose registration is not in force.
registration_complaint := sprintf("the registration of agent %v has ended", [principal.agent_id]) if {
	clock.after(principal.agent.expires)
} else := sprintf("the groups of this principal name several agents (%v), so that it acts as none of them", [_several]) if {
	count(principal.rival_agents) > 1
} else := sprintf("this policy cannot tell which agent the token is of: %v", [concat("; ", _unread)]) if {
	count(_unread) > 0
} else := "nobody is registered as the agent of this credential" if {
	not principal.agent
} else := sprintf("the registration of agent %v is not what the build checked", [principal.agent_id])

_several := concat(", ", [text |
	some id in principal.rival_agents
	text := sprintf("%v", [id])
])

_unread := [principal.unreadable(field) | some field in principal.undecided_by]

# METADATA
# description: What is said of an agent that leaves its scope.
scope_complaint := sprintf("agent %v was not registered for server %v", [principal.agent_id, input.server.id]) if {
	principal.agent
	not server_in_scope
} else := sprintf("the action of %v %v is unknown, and agent %v was not registered for every action", [
	input.target.type,
	call.target_text,
	principal.agent_id,
]) if {
	principal.agent
	call.action == "unknown"
} else := sprintf("agent %v was not registered for the action %v", [principal.agent_id, call.action]) if {
	principal.agent
}
