#!/usr/bin/env bash
# The pipeline of this policy repository: `bash ci/policy.sh STEP...`. The workflow calls these steps. Any other CI can too.
#
#   test      check the sources: form, schemas, tests, scenarios
#   build     pack the bundle twice and compare: the same sources give the same bytes
#   diff      describe the changes of the bundle against $POLICY_BASE for the reviewers of a pull request. Loosenings are
#             marked, and with POLICY_REFUSE_LOOSENING=1 the step fails
#   replay    judge recorded calls with the bundle. Fails on a loosening that is not explained, and with
#             POLICY_REQUIRE_REPLAY=1 also if nothing could be replayed: set it as soon as there are recorded calls
#   report    combine the results of diff and replay in one text that is short enough for a comment
#   sign      sign the bundle with the key in $POLICY_SIGNING_KEY
#   publish   publish the bundle to $POLICY_HUB, and wait until every live gateway enforces it
#   smoke     check that the gateway at $POLICY_GATEWAY (its admin address) enforces the bundle, list the tools of
#             $POLICY_SMOKE_URL through it ($POLICY_SMOKE_TOOLS must be listed, $POLICY_SMOKE_HIDDEN must not), and verify
#             the published bundle
#   rollback  publish the previous bundle again under a new number; $POLICY_BECAUSE is the reason
#
# Environment variables (with defaults): POLICY_ENVIRONMENT (production), POLICY_CHANNEL (the name of the environment),
# POLICY_HUB (the address of a hub, or a directory), MCP_HUB_TOKEN or POLICY_TOKEN_FILE (the token of a publisher),
# POLICY_KEY (public key files; default: every policy*.pub.pem next to this script. Keep the old key there while you replace
# a key, so that a rollback to a bundle that it signed is possible), POLICY_BASE (a commit, or a bundle such as the published
# one), POLICY_JOURNAL and POLICY_JOURNAL_KEY (recorded calls as `mcp-admission journal export` writes them, and the key that
# decrypts them), POLICY_BECAUSE, POLICY_DEADLINE (60 seconds), POLICY_GATEWAYS (how many must confirm: 1), POLICY_GATEWAY,
# POLICY_SMOKE_URL (a server through the gateway, such as https://mcp.example.com/servers/mail/mcp), POLICY_SMOKE_TOKEN (the
# token of an agent), POLICY_SMOKE_TOOLS and POLICY_SMOKE_HIDDEN (names of tools), POLICY_REQUIRE_REPLAY,
# POLICY_REFUSE_LOOSENING, POLICY_OUT (.state/ci).
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

needed() { [[ -n "${!1:-}" ]] || { echo "$1 is not set. It must be $2." >&2; exit 2; }; }

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

unknown() { # unknown FILE REQUIRED SENTENCE: write the sentence to the report, and fail if REQUIRED is not empty
	echo "$3" | tee "$out/$1"
	[[ -z "$2" ]] || exit 1
}

base() { # build the bundle of the commit POLICY_BASE and print its path
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
		unknown diff.md "${POLICY_REFUSE_LOOSENING:-}" "**Not compared**: POLICY_BASE is not set."
		return
	fi
	before=$POLICY_BASE
	[[ -f "$before" ]] || before=$(base) || {
		unknown diff.md "${POLICY_REFUSE_LOOSENING:-}" "**Not compared**: no bundle can be built from POLICY_BASE."
		return
	}
	code=0
	mcp-admission bundle diff "$before" "$bundle" --markdown --fail-on-loosening >"$out/diff.md" || code=$?
	[[ -s "$out/diff.md" ]] || exit "$code" # no output: the comparison failed
	((code == 0)) || printf '\n**A change admits more than before, or may do so.**\n' >>"$out/diff.md"
	cat "$out/diff.md"
	[[ -z "${POLICY_REFUSE_LOOSENING:-}" ]] || exit "$code"
}

step_replay() {
	if [[ -z "${POLICY_JOURNAL:-}" ]]; then
		unknown replay.md "${POLICY_REQUIRE_REPLAY:-}" \
			"**Not replayed**: POLICY_JOURNAL is not set, so the effect on recorded calls is unknown."
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
		[[ -e "$out/$part.md" ]] || echo "**Unknown**: the step $part did not finish." >"$out/$part.md"
	done
	{
		printf '## Changes\n\n' && cat "$out/diff.md"
		printf '\n## Decisions on recorded calls\n\n' && cat "$out/replay.md"
	} | awk '{n += length($0) + 1} n <= 60000; END {if (n > 60000) print "\nTruncated: run the steps to see the whole report."}' \
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

step_smoke() { # fast checks first: the verification runs all tests of the bundle
	[[ -n "${POLICY_GATEWAY:-}${POLICY_SMOKE_URL:-}" ]] || echo "No gateway was checked: POLICY_GATEWAY is not set." >&2
	[[ -z "${POLICY_GATEWAY:-}" ]] || enforced
	[[ -z "${POLICY_SMOKE_URL:-}" ]] || listed
	valid=()
	for key in "${keys[@]}"; do valid+=(--key "$key"); done
	mcp-admission bundle verify "$bundle" "${valid[@]}" --environment "$environment"
}

enforced() { # check that the gateway is ready and that each of its workers enforces the bundle
	revision=$(mcp-admission bundle inspect "$bundle" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["revision"])')
	python3 - "$POLICY_GATEWAY" "$revision" <<-'PYTHON'
	import json, sys, urllib.request
	try:
	    with urllib.request.urlopen(f"{sys.argv[1]}/readyz", timeout=5) as answer:
	        said = json.load(answer)
	except OSError as error:
	    sys.exit(f"The gateway is not ready: {error}")
	found = {worker["revision"] for worker in said["workers"]}
	sys.exit(0 if found == {sys.argv[2]} else f"The gateway enforces {sorted(found)}, not {sys.argv[2]}")
	PYTHON
}

listed() { # check that an agent sees the expected tools through the gateway
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
	    sys.exit(f"The gateway does not list the tools: {error}")
	said = json.loads(([line[5:] for line in lines if line.startswith("data:")] or ["".join(lines)])[-1])
	if "result" not in said:
	    sys.exit(f"The gateway refuses to list the tools: {said.get('error')}")
	names = {tool["name"] for tool in said["result"]["tools"]}
	wanted, hidden = (set(os.environ.get(f"POLICY_SMOKE_{name}", "").split()) for name in ("TOOLS", "HIDDEN"))
	if not names or wanted - names or hidden & names:
	    sys.exit(f"Listed tools: {sorted(names)}; missing: {sorted(wanted - names)}; unexpected: {sorted(hidden & names)}")
	PYTHON
}

step_rollback() {
	needed POLICY_SIGNING_KEY "the private key in PEM"
	needed POLICY_BECAUSE "the reason for the rollback"
	place
	mcp-admission bundle rollback "${arguments[@]}" --key-env POLICY_SIGNING_KEY --because "$POLICY_BECAUSE"
}

(($#)) || set -- test build diff replay report
for step in "$@"; do
	declare -F "step_$step" >/dev/null || { echo "Unknown step $step: see the comment at the top of $0." >&2; exit 2; }
	echo "== $step" >&2
	"step_$step"
done
