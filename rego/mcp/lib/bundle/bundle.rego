# METADATA
# title: Bundle
# description: |
#   What the bundle says of itself. Rule 1: the build writes every key out, so that what is absent is damage.
package mcp.lib.bundle

import data.mcp.admission
import data.mcp.lib.rules.candidates

loaded if {
	is_string(data.environment.name)
	data.environment.default in {"allow", "deny"}
	is_object(data.enforcement)
	is_array(data.required)
	count(missing) == 0
	candidates.present
}

# METADATA
# description: The requirements that must be in force and are not in this bundle.
missing contains name if {
	some name in data.required
	not name in admission.names
}

# METADATA
# description: What the METADATA of a requirement says, for reasons; a name that the bundle does not describe is high.
about(name) := {
	"message": _text(name, "description", name),
	"severity": _severity(name),
	"remedy": _text(name, "remedy", "Tell the owner of the policy."),
}

# METADATA
# description: |
#   What this policy reads of arguments, claims and headers on the server of the message, for the record: JSON pointers
#   into the input. Nothing where the bundle does not say; then a masked record keeps nothing.
default reads := []

reads := places if {
	places := data.index.reads[input.server.id]
	is_array(places)
} else := places if {
	places := data.index.reads["*"]
	is_array(places)
}

_text(name, field, fallback) := text if {
	text := data.requirements[name][field]
	is_string(text)
} else := fallback

_severity(name) := severity if {
	severity := data.requirements[name].severity
	severity in {"low", "medium", "high", "critical"}
} else := "high"
