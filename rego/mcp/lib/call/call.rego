# METADATA
# title: Call
# description: |
#   The message joined with the bundle: the caller and the target, as the catalog describes them. Requirements read this
#   package instead of data. Rule 1: anything that the bundle does not know is undefined here. Rule 2: an action that is
#   not stated is `unknown`, which counts as every action.
package mcp.lib.call

import data.mcp.lib.catalog
import data.mcp.lib.definitions
import data.mcp.lib.principal

agent_id := principal.agent_id

agent := principal.agent

server := catalog.server

target := catalog.target

# METADATA
# description: True for initialize, discover, the lists, streams, and requests of a server to the client.
targetless if input.target.type == "none"

# METADATA
# description: The text that globs of rules are matched with, which is the name of the target or its URI.
target_text := input.target.uri if {
	input.target.type == "resource"
} else := input.target.name

actions := {"read", "write", "delete", "send", "execute", "list"}

action := "list" if {
	targetless
} else := catalog.target.action if {
	actions[catalog.target.action]
} else := _annotated if {
	not _stated
} else := "unknown"

# METADATA
# description: The source of the action, one of catalog, annotation, default.
action_source := "default" if {
	targetless
} else := "catalog" if {
	actions[catalog.target.action]
} else := "annotation" if {
	not _stated
	_annotated
} else := "default"

# METADATA
# description: |
#   The requirements that may be unmet only because the definition was not seen. If the catalog believes the server's
#   hints, they could have stated the action.
judged_by_definition := {"definition_is_unchanged", "rules_permit", "agent_stays_in_scope"} if {
	not _stated
	_believed
} else := {"definition_is_unchanged"}

# METADATA
# description: True unless the message surely has another action. True for `unknown`.
may(act) if action == act

may(_) if action == "unknown"

pin := definitions.state

drift := definitions.changes

# METADATA
# description: The name of the upstream credential and its owner. Undefined if the server needs none.
credential := catalog.server.credential if is_object(catalog.server.credential)

_stated if catalog.defined(catalog.target.action)

# The hints of a server count only if the catalog believes them and if they state everything that is needed: the
# specification's defaults for missing hints are the dangerous ones.
_annotated := "read" if {
	_believed
	input.definition.annotations.readOnlyHint == true
	not input.definition.annotations.destructiveHint == true
}

_annotated := "write" if {
	_believed
	input.definition.annotations.readOnlyHint == false
	input.definition.annotations.destructiveHint == false
	input.definition.annotations.openWorldHint == false
}

_believed if {
	catalog.server.believe_annotations == true
	catalog.target
}
