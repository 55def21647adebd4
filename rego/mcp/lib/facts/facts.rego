# METADATA
# title: Facts
# description: |
#   The facts about the arguments that the gateway must compute before rules that read them can be judged: hosts of
#   URLs, domains of addresses, normal paths. Rule 1: a missing fact is unknown, so a question without facts is decided
#   at least as strictly as with them. Rule 2: a message without a target has no arguments and needs no facts.
package mcp.lib.facts

import data.mcp.lib.call

# METADATA
# description: The facts that the rules for the server of the message read and that the question does not state.
default needed := []

needed := facts if {
	facts := _of_server
	is_array(facts)
	not call.targetless
	not _are_stated
}

_of_server := data.index.facts[input.server.id]

_of_server := data.index.facts["*"] if not data.index.facts[input.server.id]

_are_stated if is_object(input.facts)
