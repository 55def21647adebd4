# METADATA
# title: The agent is registered
# description: The principal acts as an agent with an owner, a purpose and a kind, whose registration has not expired.
# custom:
#   severity: critical
#   remedy: Ask the owner of the gateway to register the agent or to renew its registration.
package mcp.requirements.agent_is_registered

import data.mcp.lib.agents

met if agents.registered

because contains agents.registration_complaint
