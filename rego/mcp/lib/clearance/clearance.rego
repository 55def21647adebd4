# METADATA
# title: Clearance
# description: |
#   Whether the agent is cleared for the data of the target. Rule 1: clearance is required unless the environment surely
#   lists no data classes. Rule 2: an agent is cleared only for the classes that its registration names.
package mcp.lib.clearance

import data.mcp.lib.call
import data.mcp.lib.catalog
import data.mcp.lib.principal

# METADATA
# description: True unless this environment surely lists no data classes.
is_asked if not data.environment.data_classes == null

# METADATA
# description: True if the agent is cleared for every class of the target.
is_cleared if {
	is_array(principal.agent.clearance)
	count(catalog.data_classes) > 0
	every class in catalog.data_classes { class in principal.agent.clearance }
}

# METADATA
# description: The reason why an agent is not cleared.
complaint := sprintf("Agent `%v` is not cleared for the data class `%v` of %v `%v`", [
	principal.agent_id,
	concat("`, `", lacking),
	input.target.type,
	call.target_text,
]) if {
	principal.agent
	lacking := [class | some class in catalog.data_classes; not class in principal.agent.clearance]
	count(lacking) > 0
} else := sprintf("The data classes of %v `%v` are unknown", [input.target.type, call.target_text]) if {
	not catalog.data_classes
} else := sprintf("The clearance of agent `%v` differs from the one that the build checked", [principal.agent_id]) if {
	principal.agent
}
