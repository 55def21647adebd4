# METADATA
# title: The rules permit it
# description: At least one rule permits the message, and no rule refuses it.
# custom:
#   severity: medium
#   remedy: Ask the owner of the rule or of the policy whether this should be permitted.
package mcp.requirements.rules_permit

import data.mcp.lib.rules
import data.mcp.lib.rules.words

met if rules.permitted_without_arguments

met_by_arguments if rules.permitted

because contains words.refusal(id) if {
	some id in rules.refusing
}

because contains words.nothing_permits if count(rules.refusing) == 0
