"""Own requirements that permit what is missing or of another type (OPEN), and the forms that do not (CLOSED).

Each text follows the head of a requirement: `call`, `clock`, `principal`, `mail` (the library below) and `customers`
(`data.own.customers`) are imported.
"""

from typing import Final

HEAD: Final = """package mcp.requirements.x

import data.mcp.lib.call
import data.mcp.lib.clock
import data.mcp.lib.own.mail
import data.mcp.lib.principal
import data.own.customers

"""
LIBRARY: Final = """package mcp.lib.own.mail

import data.own.recipients.domains

strangers contains address if {
	some address in input.arguments.to
	not known(address)
}

known(address) if {
	is_string(address)
	split(address, "@")[1] in domains
}

readable if is_array(input.arguments.to)

blocked(address) if address in data.own.blocked.addresses

of(arguments) := {address | some address in arguments.to; not known(address)}

clean if count(strangers) == 0

default quiet := true

quiet := false if input.arguments.loud == true

default loud := false

loud if input.arguments.loud == true

level := "high" if {
	input.arguments.amount > 1000
} else := "low"

to := input.arguments.to

addresses contains address if {
	some address in input.arguments.to
	is_string(address)
}

small(order) if order.amount <= 100

small_number(order) if {
	is_number(order.amount)
	order.amount <= 100
}
"""

OPEN: Final = {
    "count of a helper's set": "met_by_arguments if count(_strangers) == 0\n\n"
    "_strangers contains a if {\n\tsome a in input.arguments.to\n\tnot mail.known(a)\n}",
    "count of an imported set": "met_by_arguments if count(mail.strangers) == 0",
    "count of an imported function": "met_by_arguments if count(mail.of(input.arguments)) == 0",
    "count by a name": "met_by_arguments if {\n\tn := count(mail.strangers)\n\tn == 0\n}",
    "a set by a name": "met_by_arguments if {\n\tfound := mail.strangers\n\tcount(found) == 0\n}",
    "less than one": "met_by_arguments if count(mail.strangers) < 1",
    "at most two": "met_by_arguments if count(mail.strangers) <= 2",
    "zero is the count": "met_by_arguments if 0 == count(mail.strangers)",
    "zero is at least the count": "met_by_arguments if 0 >= count(mail.strangers)",
    "not more than zero": "met_by_arguments if not count(mail.strangers) > 0",
    "not other than zero": "met_by_arguments if not count(mail.strangers) != 0",
    "equal to the empty set": "met_by_arguments if mail.strangers == set()",
    "the empty set on the left": "met_by_arguments if set() == mail.strangers",
    "equal to an empty array": 'met_by_arguments if [a | some a in input.arguments.to; a != "x"] == []',
    "a difference that is empty": 'met_by_arguments if {a | some a in input.arguments.to} - {"a"} == set()',
    "an intersection that is empty": 'met_by_arguments if {a | some a in input.arguments.to} & {"a"} == set()',
    "nothing in a set": "met_by_arguments if not _any\n\n_any if mail.strangers[_]",
    "nothing in a set by some": "met_by_arguments if not _any\n\n_any if some _ in mail.strangers",
    "not a member of a set": "met_by_arguments if not input.arguments.to in mail.strangers",
    "an imported rule of the same": "met_by_arguments if mail.clean",
    "a count of an inline set": "met_by_arguments if count({a | some a in input.arguments.to; not mail.known(a)}) == 0",
    "a sum": "met_by_arguments if sum([n | some n in input.arguments.amounts]) <= 100",
    "a guard for another argument": "met_by_arguments if {\n\tis_array(input.arguments.cc)\n"
    "\tcount(mail.strangers) == 0\n}",
    "a guard that is a count": "met_by_arguments if {\n\tcount(input.arguments.to) > 0\n"
    "\tcount(mail.strangers) == 0\n}",
    "one of two definitions of a guard": "met_by_arguments if {\n\t_ready\n\tcount(mail.strangers) == 0\n}\n\n"
    '_ready if is_array(input.arguments.to)\n\n_ready if input.server.id == "mail"',
    "a value that is a comparison": "met_by_arguments if _fine == true\n\n_fine := count(mail.strangers) == 0",
    "a value by a name": "met_by_arguments if _fine\n\n_fine := ok if {\n\tok := count(mail.strangers) == 0\n}",
    "not a comparison by a name": "met_by_arguments if {\n\tforced := input.arguments.force == true\n\tnot forced\n}",
    "a comparison by a name": "met_by_arguments if {\n\tfine := count(mail.strangers) == 0\n\tfine\n}",
    "a helper of a helper": "met_by_arguments if _a\n\n_a if _b\n\n_b if count(mail.strangers) == 0",
    "not an argument": "met_by_arguments if not input.arguments.force",
    "not an argument that is true": "met_by_arguments if not input.arguments.force == true",
    "not a helper": "met_by_arguments if not _forced\n\n_forced if input.arguments.force == true",
    "not a helper with a default": "met_by_arguments if not mail.loud",
    "not a function of an argument": "met_by_arguments if not mail.blocked(input.arguments.to)",
    "not a function, arguments guarded, data not": "met_by_arguments if {\n\tis_string(input.arguments.to)\n"
    "\tnot mail.blocked(input.arguments.to)\n}",
    "not own data": "met if not data.own.flags.closed",
    "not own data that is true": "met if not data.own.flags.closed == true",
    "not own data by an import": "met_by_arguments if not customers[input.arguments.customer]",
    "not own data by an import, looked up by what is there": "met if not customers[input.server.id].closed",
    "not a member": 'met_by_arguments if not input.arguments.channel in {"secret"}',
    "not a group": 'met if not "contractors" in principal.groups',
    "not a group of the input": 'met if not "contractors" in input.principal.groups',
    "not a group of what has a name": 'met if {\n\tgroups := principal.groups\n\tnot "guests" in groups\n}',
    "not the trust of a server": "met if not call.server.environment == input.server.id",
    "not a tag in a helper": 'met if not _pci\n\n_pci if "pci" in call.server.tags',
    "not an agent": "met if not principal.agent",
    "not after a moment": 'met if not clock.after("2026-13-01T00:00:00Z")',
    "not a pattern": 'met_by_arguments if not regex.match("^drop", input.arguments.sql)',
    "not a prefix": 'met_by_arguments if not startswith(input.arguments.path, "/etc")',
    "not a text": "met_by_arguments if not is_string(input.arguments.command)",
    "not a number that is large": "met_by_arguments if not input.arguments.amount > 100",
    "not a claim": "met if not input.principal.claims.contractor == true",
    "not in what walk finds": "met_by_arguments if not _found\n\n_found if {\n"
    '\twalk(input.arguments, [_, value])\n\tvalue == "secret"\n}',
    "a count of what walk finds": "met_by_arguments if count([v | walk(input.arguments, [_, v]); v == 1]) == 0",
    "a default of object.get": 'met_by_arguments if object.get(input.arguments, "force", false) == false',
    "a default of object.get by a path": 'met_by_arguments if object.get(input, ["arguments", "n"], 0) < 5',
    "a default of object.get by a name": "met_by_arguments if {\n\tforce := object.get(input.arguments, "
    '"force", false)\n\tforce == false\n}',
    "a default of object.get that is other": 'met_by_arguments if object.get(input.arguments, "to", "") != "eve"',
    "a default that is true": 'met_by_arguments if object.get(input.arguments, "ok", true)',
    "a default that is null": 'met_by_arguments if is_null(object.get(input.arguments, "bcc", null))',
    "not a default that is false": 'met_by_arguments if not object.get(input.arguments, "force", false)',
    "an else that is true": "met_by_arguments if _ok\n\n_ok := false if {\n"
    "\tinput.arguments.force == true\n} else := true",
    "a default of a helper that is true": "met_by_arguments if mail.quiet",
    "a default of a helper, compared": "met_by_arguments if mail.quiet == true",
    "an else that is compared": 'met_by_arguments if mail.level == "low"',
    "other than null": "met_by_arguments if input.arguments.ticket != null",
    "other than true": "met_by_arguments if input.arguments.force != true",
    "other than false": "met_by_arguments if false != input.arguments.approved",
    "other than a number": "met_by_arguments if input.arguments.amount != 0",
    "other than a word in a helper": 'met_by_arguments if _fine\n\n_fine if input.arguments.channel != "secret"',
    "at most a number": "met_by_arguments if input.arguments.amount <= 100",
    "more than a number": "met_by_arguments if input.arguments.amount > 5",
    "at most a number in a function": "met_by_arguments if mail.small(input.arguments)",
    "a claim that is small": "met if input.principal.claims.level < 5",
    "a negation in a set that is not empty": "met_by_arguments if count([1 | not input.arguments.force]) > 0",
    "a negation in a function": "met_by_arguments if _fine(input.arguments)\n\n_fine(args) if not args.force",
    "two negations": "met_by_arguments if not _bad\n\n_bad if not _fine\n\n_fine if not input.arguments.force",
    "a negation inside every": 'met_by_arguments if every k in ["a", "b"] { not input.arguments[k] }',
    "every of a comprehension": "met_by_arguments if every a in {x | some x in input.arguments.to} { mail.known(a) }",
    "every of a helper's set": "met_by_arguments if every a in mail.addresses { mail.known(a) }",
    "all that is known": "met_by_arguments if {\n\tall := {x | some x in input.arguments.to}\n"
    "\tgood := {x | some x in all; mail.known(x)}\n\tall == good\n}",
    "as many as are known": "met_by_arguments if {\n\tall := {x | some x in input.arguments.to}\n"
    "\tgood := {x | some x in all; mail.known(x)}\n\tcount(all) == count(good)\n}",
    "all that is common": 'met_by_arguments if {\n\tall := {x | some x in input.arguments.to}\n\tall & {"a"} == all\n}',
    "a part of what is known": "met_by_arguments if {\n\tall := {x | some x in input.arguments.to}\n"
    '\tobject.subset({"a"}, all)\n}',
}

CLOSED: Final = {
    "always": "met := true",
    "the template": 'met_by_arguments if not call.may("send")\n\nmet_by_arguments if {\n\tmail.readable\n'
    "\tcount(mail.addresses) > 0\n\tevery address in mail.addresses { mail.known(address) }\n}",
    "every beside a count": "met_by_arguments if {\n\tcount(input.arguments.to) > 0\n"
    "\tevery a in input.arguments.to { mail.known(a) }\n}",
    "every of what has a name": "met_by_arguments if {\n\tto := input.arguments.to\n\tcount(to) > 0\n"
    "\tevery a in to { mail.known(a) }\n}",
    "every of a comprehension that is not empty": "met_by_arguments if {\n\tall := {x | some x in input.arguments.to}\n"
    "\tcount(all) > 0\n\tevery a in all { mail.known(a) }\n}",
    "all that is known, and some": "met_by_arguments if {\n\tcount(mail.addresses) > 0\n"
    "\tmail.addresses == {x | some x in mail.addresses; mail.known(x)}\n}",
    "a part of what is known, and some": "met_by_arguments if {\n\tall := {x | some x in input.arguments.to}\n"
    '\tcount(all) > 0\n\tobject.subset({"a"}, all)\n}',
    "nothing strange in what is there": "met_by_arguments if {\n\tis_array(input.arguments.to)\n"
    "\tcount(mail.strangers) == 0\n}",
    "nothing strange behind a helper's guard": "met_by_arguments if {\n\tmail.readable\n\tmail.strangers == set()\n}",
    "a guard by iteration": "met_by_arguments if {\n\tsome _ in input.arguments.to\n\tcount(mail.strangers) == 0\n}",
    "a count of a part of the input": "met_by_arguments if count(input.arguments.bcc) == 0",
    "an empty part of the input": "met_by_arguments if input.arguments.bcc == []",
    "an empty part by a rule": "met_by_arguments if count(mail.to) == 0",
    "a word": 'met_by_arguments if input.arguments.channel == "general"',
    "a member of own data": "met_by_arguments if input.arguments.customer in customers.known",
    "looked up in own data": "met_by_arguments if customers[input.arguments.customer].open == true",
    "own data that is true": "met if data.own.flags.open == true",
    "false": "met_by_arguments if input.arguments.force == false",
    "null": "met_by_arguments if input.arguments.bcc == null",
    "a text that is not empty": "met_by_arguments if {\n\tis_string(input.arguments.ticket)\n"
    "\tinput.arguments.ticket != null\n}",
    "a number": "met_by_arguments if {\n\tis_number(input.arguments.amount)\n\tinput.arguments.amount <= 100\n}",
    "a number between": "met_by_arguments if {\n\tis_number(input.arguments.n)\n\tinput.arguments.n > 0\n"
    "\tinput.arguments.n < 5\n}",
    "a number in a function": "met_by_arguments if mail.small_number(input.arguments)",
    "a number by a name": "met_by_arguments if {\n\tn := input.arguments.n\n\tis_number(n)\n\tn <= 5\n}",
    "a pattern": 'met_by_arguments if regex.match("^select", input.arguments.sql)',
    "a prefix": 'met_by_arguments if startswith(input.arguments.path, "/srv/")',
    "not a prefix of a text": "met_by_arguments if {\n\tis_string(input.arguments.path)\n"
    '\tnot startswith(input.arguments.path, "/etc")\n}',
    "not a key of what is there": "met_by_arguments if {\n\tkeys := object.keys(input.arguments)\n"
    '\tnot "bcc" in keys\n}',
    "not a tag of a server that is there": 'met if {\n\ttags := call.server.tags\n\tnot "pci" in tags\n}',
    "not a member of own data, of a text": "met_by_arguments if {\n\tis_string(input.arguments.to)\n"
    "\tnot input.arguments.to in data.own.blocked.addresses\n}",
    "no text in any argument": 'met_by_arguments if not contains(json.marshal(input.arguments), "hunter2")',
    "not a key of the arguments": 'met_by_arguments if not "bcc" in object.keys(input.arguments)',
    "not a member beside a part of the same text": "met_by_arguments if {\n"
    '\tsplit(input.arguments.to, "@")[1] in data.own.domains\n\tnot input.arguments.to in data.own.away\n}',
    "not a tag of the server": 'met if not "pci" in call.server.tags',
    "not a group of some": 'met if {\n\tcount(principal.groups) > 0\n\tnot "guests" in principal.groups\n}',
    "not a flag that is there": "met if {\n\tis_boolean(data.own.flags.closed)\n\tnot data.own.flags.closed\n}",
    "not blocked, all guarded": "met_by_arguments if {\n\tis_string(input.arguments.to)\n"
    "\tis_array(data.own.blocked.addresses)\n\tnot mail.blocked(input.arguments.to)\n}",
    "a comparison of a boolean with a name": "met_by_arguments if {\n\tis_boolean(input.arguments.force)\n"
    "\tforced := input.arguments.force == true\n\tnot forced\n}",
    "no action that may": 'met_by_arguments if not call.may("send")',
    "no target": "met_by_arguments if call.targetless",
    "a target": "met_by_arguments if not call.targetless",
    "other than a drift": 'met if not call.pin == "unseen"',
    "before a moment": 'met if clock.before("2027-01-01T00:00:00Z")',
    "hours": 'met if {\n\tclock.time_of_day("Europe/Zurich") >= "08:00"\n'
    '\tclock.time_of_day("Europe/Zurich") < "18:00"\n}',
    "a group": 'met if "support" in principal.groups',
    "some group": "met if count(principal.groups) > 0",
    "a claim": "met if input.principal.claims.level == 5",
    "a default that refuses": 'met_by_arguments if object.get(input.arguments, "approved", false) == true',
    "a default that refuses by itself": 'met_by_arguments if object.get(input.arguments, "approved", false)',
    "a default that no prefix has": 'met_by_arguments if startswith(object.get(input.arguments, "path", ""), "/srv/")',
    "not a default that is true": 'met_by_arguments if not object.get(input.arguments, "force", true)',
    "a helper that is false otherwise": "met_by_arguments if _ok == true\n\n_ok := true if {\n"
    '\tinput.arguments.to == "a"\n} else := false',
    "not a helper that is true otherwise": "met_by_arguments if not mail.quiet",
    "a walk that finds": 'met_by_arguments if {\n\twalk(input.arguments, [_, value])\n\tvalue == "approved"\n}',
    "some element": 'met_by_arguments if {\n\tsome a in input.arguments.to\n\ta == "x"\n}',
    "a set that has all": 'met_by_arguments if {a | some a in input.arguments.to} == {"x"}',
    "a reason": 'met := true\n\nbecause contains "x" if not input.arguments.force',
    "a day": "met if not input.context.time.weekday in call.actions",
    "a subject": "met if input.principal.subject != null",
}
