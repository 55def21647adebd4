# METADATA
# title: Recipients are known
# description: Messages are sent only to recipients in domains that the environment lists.
# custom:
#   severity: high
#   remedy: Ask the data owner to add the domain to data/recipients.yaml.
package mcp.requirements.recipients_are_known

import data.mcp.lib.call
import data.mcp.lib.own.recipients

met := true

met_by_arguments if not call.may("send")

met_by_arguments if {
	recipients.readable
	count(recipients.addresses) > 0
	every address in recipients.addresses { recipients.known(address) }
}

because contains sprintf("%v is not a known recipient", [address]) if {
	some address in recipients.addresses
	not recipients.known(address)
}
