#!/usr/bin/env bash
# Rehearse the whole life of a policy on this machine, with a hub and two gateways. The script runs every step of the
# workflow in order (a pull request with a loosening, a merge, a week without changes, a stop, a rollback) and prints the
# time of each. It works on a copy in .state/rehearsal with its own keys and tokens, and ends every process that it starts.
#
# The copy contains the last commit and one additional environment, `rehearsal`, with a mail server that does nothing, an
# agent, rules and scenarios. So the script does not depend on the content of your environments. The step `test` tests all of
# them, and your own Rego decides, with the `data/` of your environments.
#
#   bash ci/rehearse.sh          needs bash 5, mcp-admission, git, curl, python3 and awk on the PATH. It rehearses only
#                                committed files
set -euo pipefail
cd "$(dirname "$0")/.."

needs() { echo "The rehearsal needs $1" >&2; exit 2; }
((BASH_VERSINFO[0] >= 5)) || needs "bash 5 or later; this is bash $BASH_VERSION."
for tool in mcp-admission git curl python3 awk; do
	command -v "$tool" >/dev/null || needs "\`$tool\` on the PATH."
done
top=$(git rev-parse --show-toplevel 2>/dev/null) || needs "a git repository: git init && git add . && git commit"
git rev-parse --quiet --verify HEAD >/dev/null || needs "a commit: git add . && git commit"
prefix=$(git rev-parse --show-prefix)
for file in ci/policy.sh bundles; do
	git cat-file -e "HEAD:$prefix$file" 2>/dev/null || needs "\`$file\` in the last commit."
done
! git cat-file -e "HEAD:${prefix}bundles/rehearsal" 2>/dev/null || needs "the name \`bundles/rehearsal\` for itself: rename that environment."
[[ -z "$(git status --porcelain --untracked-files=no -- .)" ]] || echo "Uncommitted changes are not rehearsed." >&2
unset "${!POLICY_@}" MCP_HUB_TOKEN

umask 077
root=$PWD/.state/rehearsal
work=$root/policies
agent=rehearsal-bot
server=rehearsal-mail
rehearsed=bundles/rehearsal
rm -rf "$root"
mkdir -p "$root"

ended() {
	local status=$?
	trap - EXIT
	for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
	wait || true
	((status == 0)) || tail -n 15 "$root"/*.log >&2
	exit "$status"
}
trap ended EXIT

began() { start=$EPOCHREALTIME; }
took() { printf '%7.2f s  %s\n' "$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}')" "$1"; }
within() { # within SECONDS COMMAND...: repeat the command until it succeeds
	local last=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < last)) || { echo "Timed out: $*" >&2; exit 1; }
		sleep 0.02
	done
}
logged() { grep '"listening"' "$root/$1.log" 2>/dev/null | grep -oE "\"$2\": ?\"[^\"]+\"" | cut -d'"' -f4 | grep .; }
quietly() { "$@" >"$root/last.log" 2>&1 || { cat "$root/last.log" >&2; exit 1; }; }
refused() { # refused WORDS COMMAND...: check that the command fails and prints these words
	local words=$1
	shift
	if "$@" >"$root/last.log" 2>&1 || ! grep -q -- "$words" "$root/last.log"; then
		cat "$root/last.log" >&2
		echo "The command did not fail with '$words': $*" >&2
		exit 1
	fi
}

# A copy of the last commit, with the environment of the rehearsal.
git clone --quiet --no-hardlinks "$top" "$work"
cd "$work/$prefix"
git config user.name Rehearsal
git config user.email rehearsal@example.com
echo '.state/' >>"$work/.git/info/exclude"
rm -f expected-changes.yaml
mkdir -p "$rehearsed"/{catalog,agents,rules,scenarios,data}
for data in bundles/production/data/*.yaml bundles/*/data/*.yaml; do
	[[ ! -f "$data" || -e "$rehearsed/data/${data##*/}" ]] || cp "$data" "$rehearsed/data/"
done
printf 'name: rehearsal\ndefault: deny\n' >"$rehearsed/environment.yaml"
cat >"$rehearsed/agents/agent.yaml" <<YAML
agent: $agent
owner: rehearsal@example.com
purpose: Rehearses the life of a policy
kind: own
labels: [support]
scope: {servers: [$server], actions: [read, list, send]}
YAML
cat >"$rehearsed/rules/mail.yaml" <<YAML
rules:
  - rule: support-reads-mail
    effect: allow
    who: {labels: [support]}
    what: {servers: [$server], actions: [read, list]}
    reason: The rehearsal reads mail.
    owner: rehearsal@example.com

  - rule: mail-is-kept
    effect: deny
    what: {servers: [$server], actions: [delete]}
    reason: The rehearsal deletes no mail.
    owner: rehearsal@example.com
YAML
cat >"$rehearsed/scenarios/mail.yaml" <<YAML
scenarios:
  - {scenario: the tools are listed, agent: $agent, server: $server, method: tools/list, want: allow}
  - {scenario: mail is read, agent: $agent, server: $server, tool: read_mail, arguments: {id: "1"}, want: allow}
  - {scenario: mail is kept, agent: $agent, server: $server, tool: delete_mail, arguments: {id: "1"}, want: deny}
YAML

# A mail server that lists its tools and does nothing.
cat >"$root/mail.py" <<'PYTHON'
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAMES = ("search_mail", "read_mail", "send_mail", "delete_mail")
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES]


class Mail(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        listed = {"tools/list": {"tools": TOOLS}, "tools/call": {"content": [{"type": "text", "text": "done"}]}}
        result = listed.get(message["method"], {})
        body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Mail)
print(json.dumps({"message": "listening", "url": f"http://127.0.0.1:{server.server_port}/mcp"}), file=sys.stderr, flush=True)
server.serve_forever()
PYTHON
python3 "$root/mail.py" 2>"$root/mail.log" &
within 30 logged mail url >/dev/null
cat >"$rehearsed/catalog/mail.yaml" <<YAML
server: $server
url: $(logged mail url)
owner: rehearsal@example.com
tools:
  search_mail: {action: read}
  read_mail: {action: read}
  send_mail: {action: send}
  delete_mail: {action: delete}
YAML
mcp-admission agent rotate "$agent" --environment rehearsal --policy . >"$root/agent.token" 2>"$root/agent.log" ||
	{ cat "$root/agent.log" >&2; exit 1; }
token=$(grep -ohE 'mcpa_[A-Za-z0-9_-]+' "$root/agent.token" "$root/agent.log" | head -n 1)
git add --all --force "$rehearsed"
git commit --quiet --all --message "Add the environment of the rehearsal"
mcp-admission check . --environment rehearsal >"$root/last.log" 2>&1 || {
	cat "$root/last.log" >&2
	needs "requirements of your own that permit $agent to list and to read on $server. The output above shows which refuse."
}

# Keys, tokens, a hub.
mcp-admission hub key "$root/policy.pem" >/dev/null 2>&1
mcp-admission hub key "$root/stops.pem" >/dev/null 2>&1
for role in publisher responder gateway reader; do
	mcp-admission hub token "$role" --role "$role" >"$root/$role.token" 2>>"$root/tokens"
done
{
	echo "directory: $root/hub"
	echo "listen: {port: 0}"
	echo "keys: [{file: $root/policy.pub.pem}]"
	echo "emergency_key: $root/stops.pem"
	echo "tokens:"
	grep '^  - ' "$root/tokens"
} >"$root/hub.yaml"
mcp-admission hub serve --config "$root/hub.yaml" 2>"$root/hub.log" &
within 30 logged hub url >/dev/null
hub=$(logged hub url)

# Two gateways that follow it.
for number in 1 2; do
	cat >"$root/gateway$number.yaml" <<-YAML
	id: gateway-$number
	listen: {port: 0}
	admin: {port: 0}
	state: {directory: $root/gateway$number}
	secrets: {directory: $root/gateway$number/secrets}
	policy:
	  environment: rehearsal
	  bundle:
	    urls: ["$hub"]
	    channel: rehearsal
	    token_file: $root/gateway.token
	    keys: [{file: $root/policy.pub.pem}]
	    emergency: {file: $root/stops.pub.pem}
	YAML
	mkdir -p "$root/gateway$number/secrets"
	mcp-admission serve --config "$root/gateway$number.yaml" 2>"$root/gateway$number.log" &
done
for number in 1 2; do within 60 logged "gateway$number" url >/dev/null; done

call() { # call GATEWAY TOOL: print the response to an agent
	curl --silent --max-time 20 "$(logged "gateway$1" url)/servers/$server/mcp" --header "Authorization: Bearer $token" \
		--header 'Content-Type: application/json' --header 'Accept: application/json, text/event-stream' \
		--data "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"$2\",\"arguments\":{\"id\":\"1\"}}}"
}
both_told() { for one in 1 2; do call "$one" "$1" | grep -q "$2" || return 1; done; }

export POLICY_ENVIRONMENT=rehearsal POLICY_HUB=$hub POLICY_TOKEN_FILE=$root/publisher.token POLICY_KEY=$root/policy.pub.pem POLICY_GATEWAYS=2
POLICY_SIGNING_KEY=$(cat "$root/policy.pem")
POLICY_GATEWAY=$(logged gateway1 admin)
POLICY_SMOKE_URL=$(logged gateway1 url)/servers/$server/mcp
export POLICY_SIGNING_KEY POLICY_GATEWAY POLICY_SMOKE_URL POLICY_SMOKE_TOKEN=$token
export POLICY_SMOKE_TOOLS="search_mail read_mail" POLICY_SMOKE_HIDDEN=delete_mail

# The merge of the first policy.
began
quietly bash ci/policy.sh test build sign
took "tested, built twice with the same result, signed"
began
quietly bash ci/policy.sh publish
took "published and enforced by both gateways"
began
quietly bash ci/policy.sh smoke
POLICY_SMOKE_TOOLS=no_such_tool refused "missing: \['no_such_tool'\]" bash ci/policy.sh smoke
POLICY_SMOKE_HIDDEN=read_mail refused "unexpected: \['read_mail'\]" bash ci/policy.sh smoke
POLICY_SMOKE_TOKEN=mcpa_nobody refused "does not list the tools" bash ci/policy.sh smoke
took "the smoke test passes, and fails if another list is expected"
within 20 both_told delete_mail mail-is-kept
within 20 both_told read_mail '"done"'

# A pull request with a loosening, which the report shows to the reviewers and the replay of recorded calls detects.
python3 - <<'PYTHON'
from pathlib import Path

here = Path("bundles/rehearsal")
for name, old, new in (
    ("rules/mail.yaml", "effect: deny", "effect: allow\n    who: {labels: [support]}"),
    ("scenarios/mail.yaml", "want: deny", "want: allow"),
    ("agents/agent.yaml", "[read, list, send]", "[read, list, send, delete]"),
):
    place = here / name
    place.write_text(place.read_text().replace(old, new, 1))
PYTHON
git commit --quiet --all --message "Let support delete mail"
export POLICY_JOURNAL=$root/gateway1/journal POLICY_REQUIRE_REPLAY=1 POLICY_BASE=HEAD^1
began
quietly bash ci/policy.sh test build
refused "delete_mail" bash ci/policy.sh replay
quietly bash ci/policy.sh diff
POLICY_REFUSE_LOOSENING=1 refused "admits more than before" bash ci/policy.sh diff
quietly bash ci/policy.sh report
for words in '### Loosens' 'mail-is-kept' 'delete_mail'; do grep -q -- "$words" .state/ci/report.md; done
took "a loosening that is not explained fails the replay and is marked in the report"
cat >expected-changes.yaml <<'YAML'
changes:
  - from: deny
    to: allow
    server: rehearsal-mail
    target: delete_mail
    owner: rehearsal@example.com
    reason: Support now empties the spam folder.
YAML
git add --force expected-changes.yaml && git commit --quiet --message "Explain why support may delete mail"
began
quietly bash ci/policy.sh test build replay diff report
took "with an explanation, the replay passes"

# The merge, and a week without changes.
began
quietly bash ci/policy.sh build sign publish
refused 'unexpected: \[.delete_mail.\]' bash ci/policy.sh smoke
export POLICY_SMOKE_TOOLS="read_mail delete_mail" POLICY_SMOKE_HIDDEN=""
quietly bash ci/policy.sh smoke
took "merged, built, signed, published and enforced"
within 20 both_told delete_mail '"done"'
enforced() { curl --silent "$POLICY_GATEWAY/readyz" | grep -oE '"revision": ?"[^"]+"' | head -n 1 | cut -d'"' -f4; }
before=$(enforced)
began
quietly bash ci/policy.sh test build replay report
quietly bash ci/policy.sh build sign publish smoke
after=$(enforced)
[[ "${before%.*}" == "${after%.*}" ]] && ((${before##*.} < ${after##*.})) || { echo "$after is not $before with a higher number" >&2; exit 1; }
took "a week later the same content is enforced under a higher number"

began
mcp-admission stop --agent "$agent" --for 1h --because "It deletes what it should not" --hub "$hub" \
	--token-file "$root/responder.token" >"$root/stop.id"
within 20 both_told read_mail nothing_is_stopped
took "stopped: both gateways refuse the agent"
began
refused "refuses to list the tools" bash ci/policy.sh smoke
took "the smoke test detects the stop"
quietly mcp-admission stop lift "$(cat "$root/stop.id")" --because Fixed --hub "$hub" --token-file "$root/responder.token"

began
export POLICY_BECAUSE="Deleting was a mistake"
quietly bash ci/policy.sh rollback
within 20 both_told delete_mail mail-is-kept
took "rolled back under a new number, enforced by both gateways"
began
refused "The gateway enforces" bash ci/policy.sh smoke
quietly bash ci/policy.sh test build sign
refused "took it back" bash ci/policy.sh publish
took "the next weekly run does not publish the rolled back content again"

mcp-admission bundle history --to "$hub" --token-file "$root/reader.token" --channel rehearsal
