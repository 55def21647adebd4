# METADATA
# title: The agent is cleared
# description: The agent is cleared for every data class of the target, if the environment lists data classes.
# custom:
#   severity: high
#   remedy: Ask the owner of the agent to add the data class to its clearance, if its purpose requires such data.
package mcp.requirements.agent_is_cleared

import data.mcp.lib.call
import data.mcp.lib.clearance

met if not clearance.is_asked

met if call.targetless

met if clearance.is_cleared

because contains clearance.complaint
