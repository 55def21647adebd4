#!/usr/bin/env bash
# The pipeline of this policy repository: `bash ci/policy.sh STEP...`. The workflow calls these steps; so can any other CI.
#
#   test      everything that can be known from the sources: form, schemas, tests, scenarios
#   build     pack the bundle twice and compare: the same sources give the same bytes
#   diff      what the bundle changes against $POLICY_BASE, in words, for the reviewers of a pull request; what loosens is
#             marked, and with POLICY_REFUSE_LOOSENING=1 it fails
#   replay    what the bundle would have decided on recorded calls; fails on a loosening that nobody explained, and with
#             POLICY_REQUIRE_REPLAY=1 also where nothing could be replayed: set it once there are recorded calls
#   report    what diff and replay found as one text, short enough for a comment
#   sign      with the key in $POLICY_SIGNING_KEY
#   publish   to $POLICY_HUB, and wait until every live gateway enforces it
#   smoke     ask the gateway at $POLICY_GATEWAY (its admin address) what it enforces, list the tools of $POLICY_SMOKE_URL
#             through it ($POLICY_SMOKE_TOOLS must be there, $POLICY_SMOKE_HIDDEN must not), and verify what was published
#   rollback  publish again what was in force before, under a new number; $POLICY_BECAUSE says why
#
# From the environment: POLICY_ENVIRONMENT (production), POLICY_CHANNEL (the environment's name), POLICY_HUB (a hub's
# address, or a directory), MCP_HUB_TOKEN or POLICY_TOKEN_FILE (a publisher's token), POLICY_KEY (public keys, each a file;
# every policy*.pub.pem beside this one: leave the old key there while keys are exchanged, so that a rollback can go back to
# what it signed), POLICY_BASE (a commit, or a bundle such as the published one), POLICY_JOURNAL and POLICY_JOURNAL_KEY
# (recorded calls, as `mcp-admission journal export` writes them, and the key that reads them), POLICY_BECAUSE,
# POLICY_DEADLINE (60 seconds), POLICY_GATEWAYS (how many must confirm: 1), POLICY_GATEWAY, POLICY_SMOKE_URL (a server
# through the gateway, such as https://mcp.example.com/servers/mail/mcp), POLICY_SMOKE_TOKEN (an agent's),
# POLICY_SMOKE_TOOLS and POLICY_SMOKE_HIDDEN (names), POLICY_REQUIRE_REPLAY, POLICY_REFUSE_LOOSENING, POLICY_OUT (.state/ci).
set -euo pipefail
cd "$(dirname "$0")/.."

environment=${POLICY_ENVIRONMENT:-production}
channel=${POLICY_CHANNEL:-$environment}
read -ra keys <<<"${POLICY_KEY:-}"
here=$(basename "$(dirname "$0")")
((${#keys[@]})) || keys=("$here"/policy*.pub.pem)
[[ "${keys[*]}" != *\** ]] || keys=("$here/policy.pub.pem")
out=${POLICY_OUT:-.state/ci}
bundle=$out/bundle.tar.gz
mkdir -p "$out"

needed() { [[ -n "${!1:-}" ]] || { echo "$1 is not set: $2" >&2; exit 2; }; }

place() {
	needed POLICY_HUB "the address of the hub, or a directory"
	arguments=(--to "$POLICY_HUB" --channel "$channel")
	for key in "${keys[@]}"; do arguments+=(--verification-key "$key"); done
	[[ -z "${POLICY_TOKEN_FILE:-}" ]] || arguments+=(--token-file "$POLICY_TOKEN_FILE")
	[[ "$POLICY_HUB" != http* ]] || arguments+=(--wait --deadline "${POLICY_DEADLINE:-60}" --at-least "${POLICY_GATEWAYS:-1}")
}

because() {
	echo "${POLICY_BECAUSE:-$(git log -1 --format='%s (%h)' 2>/dev/null || echo 'built without git')}"
}

step_test() { mcp-admission test .; }

step_build() {
	rm -f "$out"/*.md
	built=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	mcp-admission bundle build "$environment" --policy . --built "$built" --output "$bundle"
	mcp-admission bundle build "$environment" --policy . --built "$built" --output "$out/again.tar.gz" >/dev/null
	cmp "$bundle" "$out/again.tar.gz"
}

unknown() { # unknown FILE REQUIRED SENTENCE: the report says what is not known; where it is required, that is a failure
	echo "$3" | tee "$out/$1"
	[[ -z "$2" ]] || exit 1
}

base() { # the bundle of the commit POLICY_BASE: its place
	local built tree=$out/base code=0
	built=$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd "$POLICY_BASE") || return
	rm -rf "$tree" && git worktree prune
	git worktree add --quiet --detach "$tree" "$POLICY_BASE" || return
	mcp-admission bundle build "$environment" --policy "$tree/$(git rev-parse --show-prefix)" --built "$built" \
		--output "$tree.tar.gz" >/dev/null || code=$?
	git worktree remove --force "$tree"
	echo "$tree.tar.gz"
	return "$code"
}

step_diff() {
	if [[ -z "${POLICY_BASE:-}" ]]; then
		unknown diff.md "${POLICY_REFUSE_LOOSENING:-}" "**Not compared**: POLICY_BASE names nothing to compare with."
		return
	fi
	before=$POLICY_BASE
	[[ -f "$before" ]] || before=$(base) || {
		unknown diff.md "${POLICY_REFUSE_LOOSENING:-}" "**Not compared**: no bundle can be built from POLICY_BASE."
		return
	}
	code=0
	mcp-admission bundle diff "$before" "$bundle" --markdown --fail-on-loosening >"$out/diff.md" || code=$?
	[[ -s "$out/diff.md" ]] || exit "$code" # nothing said: it could not be compared
	((code == 0)) || printf '\n**Something admits more than before, or may.**\n' >>"$out/diff.md"
	cat "$out/diff.md"
	[[ -z "${POLICY_REFUSE_LOOSENING:-}" ]] || exit "$code"
}

step_replay() {
	if [[ -z "${POLICY_JOURNAL:-}" ]]; then
		unknown replay.md "${POLICY_REQUIRE_REPLAY:-}" \
			"**Not replayed**: POLICY_JOURNAL names no recorded calls, so nothing is known of what this would change."
		return
	fi
	reading=(--journal "$POLICY_JOURNAL")
	[[ -n "${POLICY_REQUIRE_REPLAY:-}" ]] || reading+=(--allow-nothing)
	[[ -z "${POLICY_JOURNAL_KEY:-}" ]] || reading+=(--key-file "$POLICY_JOURNAL_KEY")
	[[ ! -e expected-changes.yaml ]] || reading+=(--expected expected-changes.yaml)
	code=0
	mcp-admission replay --bundle "$bundle" "${reading[@]}" --format markdown --output "$out/replay.md" || code=$?
	cat "$out/replay.md"
	((code == 0)) || exit "$code"
}

step_report() {
	for part in diff replay; do
		[[ -e "$out/$part.md" ]] || echo "**Not known**: the step $part did not come to its end." >"$out/$part.md"
	done
	{
		printf '## What this changes\n\n' && cat "$out/diff.md"
		printf '\n## What it would have decided on recorded calls\n\n' && cat "$out/replay.md"
	} | awk '{n += length($0) + 1} n <= 60000; END {if (n > 60000) print "\nThis is cut: run the steps to see all of it."}' \
		>"$out/report.md"
	cat "$out/report.md"
}

step_sign() {
	needed POLICY_SIGNING_KEY "the private key in PEM"
	mcp-admission bundle sign "$bundle" --key-env POLICY_SIGNING_KEY
}

step_publish() {
	place
	mcp-admission bundle publish "$bundle" "${arguments[@]}" --because "$(because)"
}

step_smoke() { # what is answered at once is asked first: the verification runs all tests of the bundle
	[[ -n "${POLICY_GATEWAY:-}${POLICY_SMOKE_URL:-}" ]] || echo "no gateway was asked: POLICY_GATEWAY is not set" >&2
	[[ -z "${POLICY_GATEWAY:-}" ]] || enforced
	[[ -z "${POLICY_SMOKE_URL:-}" ]] || listed
	valid=()
	for key in "${keys[@]}"; do valid+=(--key "$key"); done
	mcp-admission bundle verify "$bundle" "${valid[@]}" --environment "$environment"
}

enforced() { # the gateway is ready, and every worker of it enforces the bundle
	revision=$(mcp-admission bundle inspect "$bundle" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["revision"])')
	python3 - "$POLICY_GATEWAY" "$revision" <<-'PYTHON'
	import json, sys, urllib.request
	try:
	    with urllib.request.urlopen(f"{sys.argv[1]}/readyz", timeout=5) as answer:
	        said = json.load(answer)
	except OSError as error:
	    sys.exit(f"the gateway is not ready: {error}")
	found = {worker["revision"] for worker in said["workers"]}
	sys.exit(0 if found == {sys.argv[2]} else f"the gateway enforces {sorted(found)}, not {sys.argv[2]}")
	PYTHON
}

listed() { # what an agent sees through the gateway is what it should see
	python3 - "$POLICY_SMOKE_URL" <<-'PYTHON'
	import json, os, sys, urllib.request
	headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
	if token := os.environ.get("POLICY_SMOKE_TOKEN"):
	    headers["Authorization"] = f"Bearer {token}"
	question = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}).encode()
	try:
	    with urllib.request.urlopen(urllib.request.Request(sys.argv[1], question, headers), timeout=15) as answer:
	        lines = answer.read().decode().splitlines()
	except OSError as error:
	    sys.exit(f"the gateway does not list its tools: {error}")
	said = json.loads(([line[5:] for line in lines if line.startswith("data:")] or ["".join(lines)])[-1])
	if "result" not in said:
	    sys.exit(f"the gateway refuses to list its tools: {said.get('error')}")
	names = {tool["name"] for tool in said["result"]["tools"]}
	wanted, hidden = (set(os.environ.get(f"POLICY_SMOKE_{name}", "").split()) for name in ("TOOLS", "HIDDEN"))
	if not names or wanted - names or hidden & names:
	    sys.exit(f"listed are {sorted(names)}; missing: {sorted(wanted - names)}, too much: {sorted(hidden & names)}")
	PYTHON
}

step_rollback() {
	needed POLICY_SIGNING_KEY "the private key in PEM"
	needed POLICY_BECAUSE "why the last bundle is taken back"
	place
	mcp-admission bundle rollback "${arguments[@]}" --key-env POLICY_SIGNING_KEY --because "$POLICY_BECAUSE"
}

(($#)) || set -- test build diff replay report
for step in "$@"; do
	declare -F "step_$step" >/dev/null || { echo "There is no step $step: see the head of $0." >&2; exit 2; }
	echo "== $step" >&2
	"step_$step"
done
