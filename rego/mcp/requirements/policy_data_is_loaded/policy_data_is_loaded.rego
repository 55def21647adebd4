# METADATA
# title: Policy data is loaded
# description: "The bundle is complete: it has the environment, the rule index and every requirement that it must have."
# custom:
#   severity: critical
#   remedy: "Notify the owner of the policy: the bundle in force is damaged or incomplete."
package mcp.requirements.policy_data_is_loaded

import data.mcp.lib.bundle

met if bundle.loaded

because contains sprintf("Requirement `%v` must be in force but is not in this bundle", [name]) if {
	some name in bundle.missing
}
