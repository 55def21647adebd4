# METADATA
# title: Seals
# description: |
#   The build checks every rule and seals it with a digest. Rule 1: a rule that does not fit its seal is not judged. It
#   counts as malformed: it refuses and is named, regardless of what was removed, mistyped or added since.
package mcp.lib.rules.seals

fits(id, rule) if crypto.sha256(json.marshal(rule)) == data.index.seals[id]

# METADATA
# description: The ids of all rules of the bundle that do not fit their seals. The build refuses a bundle that has any.
broken contains id if {
	some id, rule in data.rules
	not fits(id, rule)
}
