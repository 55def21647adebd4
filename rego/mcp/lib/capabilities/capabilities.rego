# METADATA
# title: Capabilities
# description: |
#   What a server says that it can do, judged before its client is told. Rule 1: the gateway names a capability as the
#   target of a message without one, and `message_is_known` ties that name to a method. Rule 2: a capability that is
#   about targets is of use only where the catalog lists some of them.
package mcp.lib.capabilities

# METADATA
# description: True where the message stands for a capability of the server.
named if _kinds[input.target.name]

# METADATA
# description: True for a capability that there is something for, and for every message that stands for none.
useful if not named

useful if _kinds[input.target.name] == set()

useful if {
	some kind in _kinds[input.target.name]
	some _, _ in data.catalog.targets[input.server.id][kind]
}

# What the catalog must have some of; a capability without targets needs nothing.
_kinds := {
	"tools": {"tools"},
	"prompts": {"prompts"},
	"resources": {"resources", "resource_prefixes"},
	"completions": {"prompts", "resources", "resource_prefixes"},
	"logging": set(),
}
