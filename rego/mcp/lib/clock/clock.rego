# METADATA
# title: Clock
# description: |
#   The time of the question, and comparisons with it. Rule 1: the time is input.context.time.unix_ns; policies have no
#   clock. Rule 2: a text that is not a valid time is neither before nor after anything.
package mcp.lib.clock

import data.mcp.lib.clock.zones

now := input.context.time.unix_ns if is_number(input.context.time.unix_ns)

# time.parse_rfc3339_ns can read every text that matches this pattern. A day that its month does not have would be a
# run-time error there, and the whole query would fail.
# regal ignore:line-length
_moment := `^20(?:\d\d-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|(?:[02468][048]|[13579][26])-02-29)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$`

# METADATA
# description: The time that an RFC 3339 text of this century names, in nanoseconds. Undefined for anything else.
instant(text) := time.parse_rfc3339_ns(text) if {
	is_string(text)
	regex.match(_moment, text)
}

# METADATA
# description: True if the question is surely asked before this time.
before(text) if now < instant(text)

# METADATA
# description: True if the question is surely asked at this time or later.
after(text) if now >= instant(text)

# METADATA
# description: True for null (never expires) and for a time that is surely still in the future.
unexpired(expires) if expires == null

unexpired(expires) if now < instant(expires)

# METADATA
# description: True for the name of a time zone that OPA knows. Any other name would be a run-time error.
zone(name) if zones.names[name]

# METADATA
# description: The day of the question in a time zone, as `monday`.
weekday(name) := lower(time.weekday([now, name])) if zone(name)

# METADATA
# description: The time of day of the question in a time zone, as `HH:MM`.
time_of_day(name) := sprintf("%02d:%02d", [hour, minute]) if {
	zone(name)
	[hour, minute, _] := time.clock([now, name])
}
