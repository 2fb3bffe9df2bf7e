#!/bin/bash
# tests/e2e/network.sh - `network: [hosts]`, in real sandboxes.
# SPDX-License-Identifier: Apache-2.0
# timeout 400
#
# What the gateway lets through is tests/integration/gateway.test.js' matter.
# The hosts here are this one, at a port of ours, and the registry of npm.
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/job.sh
. "$tap_root/tests/lib/job.sh"
unset BERTH_REDIS BERTH_CONFIG

mkdir -p "$repo" "$TEST_TMP/www"
echo "hello" >"$repo/file.txt"
echo "from outside" >"$TEST_TMP/www/page"
make_repo "$repo"
pipeline=$TEST_TMP/pipeline.yml
port_file=$TEST_TMP/port
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
}
trap cleanup EXIT

(cd "$TEST_TMP/www" && exec python3 -c '
import http.server, sys
server = http.server.ThreadingHTTPServer(
    ("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
open(sys.argv[1], "w").write(str(server.server_address[1]))
server.serve_forever()' "$port_file" 2>/dev/null) &
server=$!
wait_for test -s "$port_file"
port=$(cat "$port_file")

# net LIST [OPTION…]: the steps on stdin, with that network
net() {
    local list=$1
    shift
    {
        echo "sandbox: { instance_type: standard-2, network: $list }"
        cat
    } >"$pipeline"
    job "$@" "$pipeline"
    said=$(cat "$TEST_TMP/job.err")
    remember_job
}

# --- what there is inside, and what not -------------------------------------
net "[\"localhost:$port\", npm]" --set gateway.allow_addresses=127.0.0.1 <<Y
steps:
  - name: through the gateway
    run: curl -sS --noproxy '' http://localhost:$port/page
  - name: nothing else
    run: |
      set +e
      echo "routes \$(tail -n +2 /proc/net/route | wc -l)"
      curl -s --noproxy '*' --max-time 5 http://127.0.0.1:$port/page
      echo "direct \$?"
      curl -s --noproxy '*' --max-time 5 http://localhost.localdomain/
      echo "resolve \$?"
      python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 1))'
      echo "bind \$?"
      curl -sS http://other.example.net/ >/dev/null
      curl -sS -o /dev/null http://other.example.net:81/
      curl -sS -o /dev/null https://other.example.net/
      true
Y
is "$job_status" 0 "a listed host is reached, by name"
like "$said" "from outside" "its page has come"
like "$said" "routes 0" "there is no route inside"
like "$said" "direct 7" "the host's own loopback is not there"
like "$said" "resolve 6" "no name is looked up inside"
like "$said" "bind 1" "no command can take the gateway's port, or its like"
like "$said" "write .network: \[localhost:$port, npm, other.example.net\]. below" \
    "a host that is refused is told with the line to add"
like "$said" "other.example.net:81\]" "with its port, where that is no usual one"
is "$(grep -c "network: 'other.example.net' is not" <<<"$said")" 1 \
    "once, however often it is tried"
like "$said" "network: localhost:$port at 127.0.0.1: 1 connection, [0-9]+ bytes sent, [0-9]+ received" \
    "what was reached is summed up"
is "$(result .sandbox.network)" "localhost:$port, npm" "the result says the list"
is_valid_result "the result obeys its schema"
is "$(traces)" "" "nothing is left behind"

net "[\"localhost:$port\"]" <<Y
steps:
  - run: curl -sS --noproxy '' http://localhost:$port/page
Y
like "$said" "loopback.*gateway.allow_addresses" \
    "a special address is refused, unless the worker names it"

# --- a gateway that is killed -----------------------------------------------
cat >"$pipeline" <<'Y'
sandbox: { instance_type: lite, network: [npm] }
steps:
  - { name: naps, run: "echo it sleeps; sleep 100" }
Y
"$BERTH_BIN" run --json --repo "$repo" "$pipeline" \
    >"$TEST_TMP/result.json" 2>"$TEST_TMP/job.err" &
run=$!
wait_for grep -q "it sleeps" "$TEST_TMP/job.err"
gateway=$(pgrep -P "$(pgrep -P "$run" -f run-job)" -f libexec/berth/gateway)
like "$(cat "/proc/$gateway/status")" "Uid:	1900065536	1900065536" \
    "the gateway is nobody on the host"
kill -9 "$gateway"
wait "$run"
is "$?" 3 "killed: the infrastructure failed"
is "$(result .reason)" sandbox_failed "killed: reason"
like "$(result '.steps[0].message')" \
    "gateway to the network was killed by signal 9 \(SIGKILL\)" \
    "killed: in clear words"
is "$(traces)" "" "killed: nothing is left behind"

# --- npm --------------------------------------------------------------------
registry=$(npm config get registry)
host=$(sed -E 's|^[a-z]+://([^/:]*).*|\1|' <<<"$registry")
if ! npm view is-number version >/dev/null 2>&1; then
    skip "npm" "there is no registry"
else
    # Whatever address it has here.
    net "[npm]" <<'Y'
steps:
  - run: |
      npm init -y >/dev/null
      npm install --no-audit --no-fund is-number@7.0.0
      node -p 'require("is-number")(5)'
Y
    is "$job_status" 0 "npm installs from its registry"
    like "$said" "$host:[0-9]+ at .* received" "and it is summed up"
    net "[npm]" --set gateway.allow_addresses= <<Y
steps:
  - run: curl -sS -o /dev/null "$registry" || true
Y
    # By a special address there is no way without the preset.
    if [[ $said == *"$host:"*" received"* ]]; then
        skip "a strict worker" "the registry has a public address"
    else
        like "$said" "$host. is at .* \(.*\), which sandboxes may not reach" \
            "a strict worker does not let jobs there"
    fi
fi
done_testing
