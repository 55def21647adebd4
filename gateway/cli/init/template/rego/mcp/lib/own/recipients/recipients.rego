# METADATA
# title: Recipients
# description: |
#   Whom a message goes to, and whom this organization knows. Rule 1: an address is one text with one `@`; what holds
#   several, or anything else, is no address that can be known. Rule 2: a field that cannot be read makes the whole call
#   unreadable, so that a recipient in it is not overlooked. Rule 3: every argument is read by its own name, so that a
#   masked journal keeps these and no others.
package mcp.lib.own.recipients

import data.own.recipients.domains as known_domains

# METADATA
# description: The arguments that name recipients, by field.
named["to"] := input.arguments.to

named["cc"] := input.arguments.cc

named["bcc"] := input.arguments.bcc

named["recipients"] := input.arguments.recipients

# METADATA
# description: Every recipient; a text is one, a list is as many as it has.
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
# description: True where every field that names recipients is a text or a list.
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
