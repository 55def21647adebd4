# METADATA
# title: The message is known
# description: Policy knows the method, and the kind of message and the type of target are allowed for this method.
# custom:
#   severity: high
#   remedy: Use a method of the Model Context Protocol. This gateway refuses unknown methods.
package mcp.requirements.message_is_known

import data.mcp.lib.messages

met if messages.known

because contains sprintf("Method `%v` is unknown, or is not allowed for this kind of message or type of target", [input.message.method])
