# METADATA
# title: Enforcement
# description: |
#   The mode in which an unmet requirement is enforced. Rule 1: in case of doubt the mode is deny. Rule 2: a mode needs
#   an owner, a reason and a time at which it ends. Rule 3: six requirements always deny, even while `observe` is on.
package mcp.lib.enforcement

import data.mcp.lib.clock

always_deny := {
	"policy_data_is_loaded",
	"message_is_known",
	"principal_is_verified",
	"agent_is_registered",
	"server_is_listed",
	"nothing_is_stopped",
}

# METADATA
# description: The mode of a requirement, one of deny, hold, warn, shadow.
mode(name) := "deny" if {
	name in always_deny
} else := "shadow" if {
	observing
} else := entry.mode if {
	entry := data.enforcement[name]
	entry.mode in {"hold", "warn", "shadow"}
	_answered_for(entry)
} else := "deny"

# METADATA
# description: True while all requirements except those six are only observed, for 30 days at most.
observing if {
	_answered_for(data.environment.observe)
	clock.instant(data.environment.observe.expires) - clock.now <= 2592000000000000
}

# METADATA
# description: The grounds of an allow that comes from no rule, because the rules are not enforced.
ground := _ground("observe", data.environment.observe) if {
	observing
} else := _ground("enforcement", data.enforcement.rules_permit) if {
	mode("rules_permit") in {"hold", "warn", "shadow"}
}

_ground(rule, entry) := {
	"rule": rule,
	"effect": "allow",
	"owner": entry.owner,
	"because": entry.reason,
	"expires": entry.expires,
}

_answered_for(entry) if {
	_said(entry.owner)
	_said(entry.reason)
	clock.before(entry.expires)
}

_said(text) if {
	is_string(text)
	text != ""
}
