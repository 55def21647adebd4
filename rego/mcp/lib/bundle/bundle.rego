# METADATA
# title: Bundle
# description: |
#   The bundle's statements about itself. Rule 1: the build writes every key, so a missing key is damage.
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
# description: The METADATA of a requirement, for reasons. A requirement that the bundle does not describe is high.
about(name) := {
	"message": _text(name, "description", name),
	"severity": _severity(name),
	"remedy": _text(name, "remedy", "Notify the owner of the policy."),
}

# METADATA
# description: |
#   The arguments, claims and headers that this policy reads on the server of the message, as JSON pointers into the
#   input, for the record. Empty if the bundle does not state them; then a masked record keeps no values.
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
