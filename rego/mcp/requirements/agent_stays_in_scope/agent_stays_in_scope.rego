# METADATA
# title: The agent stays in scope
# description: The server and the action are within the scope that the agent is registered for.
# custom:
#   severity: high
#   remedy: Ask the owner of the agent to widen its scope, if its purpose requires this.
package mcp.requirements.agent_stays_in_scope

import data.mcp.lib.agents

met if {
	agents.server_in_scope
	agents.action_in_scope
}

because contains agents.scope_complaint
