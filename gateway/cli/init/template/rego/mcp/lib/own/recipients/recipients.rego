# METADATA
# title: Recipients
# description: |
#   The recipients of a message, and the recipients that this organization knows. Rule 1: an address is one text with one
#   `@`. A text with several addresses, or with anything else, is never a known address. Rule 2: a field that cannot be
#   read makes the whole call unreadable, so that no recipient is overlooked. Rule 3: every argument is read by its own
#   name, so that a masked journal keeps only these arguments.
package mcp.lib.own.recipients

import data.own.recipients.domains as known_domains

# METADATA
# description: The arguments that contain recipients, by field.
named["to"] := input.arguments.to

named["cc"] := input.arguments.cc

named["bcc"] := input.arguments.bcc

named["recipients"] := input.arguments.recipients

# METADATA
# description: All recipients. A text is one recipient, and each element of a list is one.
addresses contains value if {
	some value in named
	is_string(value)
}

addresses contains address if {
	some value in named
	is_array(value)
	some address in value
}

# METADATA
# description: True if every field that contains recipients is a text or a list.
readable if {
	count(named) > 0
	every value in named { _is_text_or_list(value) }
}

# METADATA
# description: True for an address in one of the domains of `bundles/<environment>/data/recipients.yaml`.
known(address) if {
	is_string(address)
	regex.match(`^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$`, address)
	lower(split(address, "@")[1]) in known_domains
}

_is_text_or_list(value) if is_string(value)

_is_text_or_list(value) if is_array(value)
