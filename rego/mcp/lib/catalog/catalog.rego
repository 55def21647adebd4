# METADATA
# title: Catalog
# description: |
#   The catalog entries of the server and the target of the message. Rule 1: names are compared exactly. Rule 2: a
#   resource is found by its exact URI, else by its longest prefix. Rule 3: an entry that is not an object is ignored.
package mcp.lib.catalog

server := entry if {
	entry := data.catalog.servers[input.server.id]
	is_object(entry)
}

target := entry if {
	input.target.type == "tool"
	entry := data.catalog.targets[input.server.id].tools[input.target.name]
	is_object(entry)
}

target := entry if {
	input.target.type == "prompt"
	entry := data.catalog.targets[input.server.id].prompts[input.target.name]
	is_object(entry)
}

target := entry if {
	input.target.type == "task"
	entry := data.catalog.targets[input.server.id].tasks
	is_object(entry)
}

target := entry if {
	input.target.type == "resource"
	entry := data.catalog.targets[input.server.id].resources[input.target.uri]
	is_object(entry)
}

target := _by_prefix[max(object.keys(_by_prefix))] if {
	input.target.type == "resource"
	not _exact
}

# An exact entry shadows every prefix, even if the entry is damaged.
_exact if defined(data.catalog.targets[input.server.id].resources[input.target.uri])

# METADATA
# description: |
#   The data classes of the target, as the build wrote them. Undefined if they are unknown, or if the environment lists
#   no classes.
data_classes := stated if {
	stated := target.data
	is_array(stated)
	count(stated) > 0
	every class in stated { is_string(class) }
}

# METADATA
# description: True for any value that exists, including `false` and `null`.
defined(_)

# Two prefixes of one URI differ in length, so the keys do not collide.
_by_prefix[count(entry.prefix)] := entry if {
	some entry in data.catalog.targets[input.server.id].resource_prefixes
	is_string(entry.prefix)
	is_string(input.target.uri)
	startswith(input.target.uri, entry.prefix)
}

# METADATA
# description: True if the catalog entry of the server is the one that the build checked, and has an address.
server_is_complete if {
	crypto.sha256(json.marshal(server)) == data.index.server_seals[input.server.id]
	server.url != ""
}

# METADATA
# description: The route of an allowed message.
route := {
	"url": server.url,
	"credential": server.credential,
	"timeout_s": server.timeout_s,
	"large_results": server.large_results,
	"check_output": server.check_output,
	"instructions": instructions,
	"normal_uris": true,
} if {
	server_is_complete
}

# METADATA
# description: |
#   What records keep of the arguments, as the target states it, else its server, else an empty text. A damaged value is
#   returned as it is, because the gateway refuses values that it does not know.
record := target.record.arguments if {
	target.record
} else := server.record.arguments if {
	server.record
} else := ""

# METADATA
# description: |
#   The digest that the server's instructions must have; `any` if they are not compared; `none` if no text may pass,
#   because the instructions were never reviewed and this environment requires a review.
instructions := server.instructions.sha256 if {
	is_string(server.instructions.sha256)
} else := "any" if {
	server.instructions == null
	data.environment.require_pins == false
} else := "none"
