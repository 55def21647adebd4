# METADATA
# title: Messages
# description: |
#   The methods that policy knows, with the kinds of message and the types of target that each allows. Rule 1: a method
#   that is not here is refused. Rule 2: only the requirement `message_is_known` may read this, because only it may read
#   the method. The other requirements judge by the target, which this table ties to the method.
package mcp.lib.messages

# METADATA
# description: The methods of client messages.
methods := {
	"initialize": {"kinds": {"request"}, "targets": {"none"}},
	"server/discover": {"kinds": {"request"}, "targets": {"none"}},
	"tools/list": {"kinds": {"request"}, "targets": {"none"}},
	"tools/call": {"kinds": {"request"}, "targets": {"tool"}},
	"resources/list": {"kinds": {"request"}, "targets": {"none"}},
	"resources/templates/list": {"kinds": {"request"}, "targets": {"none"}},
	"resources/read": {"kinds": {"request"}, "targets": {"resource"}},
	"resources/subscribe": {"kinds": {"request"}, "targets": {"resource"}},
	"resources/unsubscribe": {"kinds": {"request"}, "targets": {"resource"}},
	"subscriptions/listen": {"kinds": {"request"}, "targets": {"none"}},
	"prompts/list": {"kinds": {"request"}, "targets": {"none"}},
	"prompts/get": {"kinds": {"request"}, "targets": {"prompt"}},
	"completion/complete": {"kinds": {"request"}, "targets": {"prompt", "resource"}},
	"logging/setLevel": {"kinds": {"request"}, "targets": {"none"}},
	"tasks/list": {"kinds": {"request"}, "targets": {"none"}},
	"tasks/get": {"kinds": {"request"}, "targets": {"task"}},
	"tasks/result": {"kinds": {"request"}, "targets": {"task"}},
	"tasks/update": {"kinds": {"request"}, "targets": {"task"}},
	"tasks/cancel": {"kinds": {"request"}, "targets": {"task"}},
	"ping": {"kinds": {"request"}, "targets": {"none"}},
	"stream/open": {"kinds": {"request"}, "targets": {"none"}},
	"session/close": {"kinds": {"request"}, "targets": {"none"}},
	"notifications/initialized": {"kinds": {"notification"}, "targets": {"none"}},
	"notifications/cancelled": {"kinds": {"notification"}, "targets": {"none"}},
	"notifications/progress": {"kinds": {"notification"}, "targets": {"none"}},
	"notifications/tasks/status": {"kinds": {"notification"}, "targets": {"task"}},
	"notifications/roots/list_changed": {"kinds": {"notification"}, "targets": {"none"}},
}

# METADATA
# description: The requests of a server to the client. The client's answer is a response with the same method.
of_server := {"sampling/createMessage", "elicitation/create", "roots/list"}

# METADATA
# description: The capabilities of servers, by the method that stands for each in the question whether to announce it.
capabilities := {
	"tools/list": "tools",
	"prompts/list": "prompts",
	"resources/list": "resources",
	"completion/complete": "completions",
	"logging/setLevel": "logging",
}

known if {
	input.schema == "mcp.input/v1"
	method := methods[input.message.method]
	method.kinds[input.message.kind]
	method.targets[input.target.type]
	_names_target
}

known if {
	input.schema == "mcp.input/v1"
	of_server[input.message.method]
	input.message.kind in {"request", "response"}
	input.target.type == "none"
	input.target.name == input.message.method
}

known if {
	input.schema == "mcp.input/v1"
	capabilities[input.message.method] == input.target.name
	input.message.kind == "request"
	input.target.type == "none"
}

_names_target if {
	input.target.type in {"tool", "prompt", "task"}
	is_string(input.target.name)
}

_names_target if {
	input.target.type == "resource"
	is_string(input.target.uri)
}

_names_target if {
	input.target.type == "none"
	is_null(input.target.name)
}
