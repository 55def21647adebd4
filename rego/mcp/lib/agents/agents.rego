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
