# METADATA
# title: Capabilities
# description: |
#   The capabilities that a server announces, judged before the client sees them. Rule 1: the gateway states a
#   capability as the target name of a message without a target, and `message_is_known` ties that name to a method. Rule
#   2: a capability for targets is useful only if the catalog lists some of them.
package mcp.lib.capabilities

# METADATA
# description: True if the message stands for a capability of the server.
named if _kinds[input.target.name]

# METADATA
# description: True for a capability that has targets in the catalog, and for a message that stands for no capability.
useful if not named

useful if _kinds[input.target.name] == set()

useful if {
	some kind in _kinds[input.target.name]
	some _, _ in data.catalog.targets[input.server.id][kind]
}

# The kinds of targets of which the catalog must list at least one. A capability without targets needs none.
_kinds := {
	"tools": {"tools"},
	"prompts": {"prompts"},
	"resources": {"resources", "resource_prefixes"},
	"completions": {"prompts", "resources", "resource_prefixes"},
	"logging": set(),
}
