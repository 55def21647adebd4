# METADATA
# title: The agent is registered
# description: The principal acts as an agent with owner, purpose and kind, whose registration has not expired.
# custom:
#   severity: critical
#   remedy: Ask the owner of the gateway to register the agent, or to renew it.
package mcp.requirements.agent_is_registered

import data.mcp.lib.agents

met if agents.registered

because contains agents.registration_complaint
