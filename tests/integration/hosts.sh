#!/bin/bash
# tests/integration/hosts.sh - a scheduler with Git hosts, as configured.
# timeout 120
# long 10
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/queue.sh
. "$(dirname "$0")/../lib/queue.sh"

export BERTH_REDIS=unix://$TEST_TMP/s BERTH_STATE_DIR=$TEST_TMP/state
export GOOD_TOKEN=glpat-0123456789 NO_TOKEN=
conf=$TEST_TMP/berth.yml log=$TEST_TMP/log key=$TEST_TMP/key.pem
pid=

cleanup() {
    [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null
    redis_stop
}
trap cleanup EXIT
redis_start
openssl genrsa -out "$key" 2048 2>"$TEST_TMP/openssl"
echo not a key >"$TEST_TMP/bad.pem"
printf 'ghp_0123456789\n' >"$TEST_TMP/token"

up_or_gone() {
    grep -q 'keeps the pool' "$log" || ! kill -0 "$pid"
}

# begins: with what is on stdin as its configuration, it begins and ends
begins() {
    cat >"$conf"
    : >"$log" # what it said is not taken for what the next one says
    "$BERTH_BIN" scheduler --config "$conf" >"$log" 2>&1 &
    pid=$!
    wait_for up_or_gone
    kill -TERM "$pid" 2>/dev/null
    wait "$pid"
    status=$?
    pid=
    [ "$status" -eq 0 ] || cat "$log"
    [ "$status" -eq 0 ]
}
# refuses WORD…: it does not begin, and says these words; exit status 2
refuses() {
    cat >"$conf"
    timeout 60 "$BERTH_BIN" scheduler --config "$conf" >"$log" 2>&1
    [ $? -eq 2 ] || { cat "$log"; return 1; }
    for word in "$@"; do
        grep -qF -- "$word" "$log" || { echo "no '$word'"; cat "$log"; return 1; }
    done
    ! grep -qE 'ghp_|glpat-|not a key' "$log"
}

ok "with no host at all" begins <<<'{}'
ok "with an App, whose id is a number" begins <<END
github: {app: 123456, app_key: "file:$key"}
END
ok "with an App, whose id is a string" begins <<END
github: {app: Iv1.0123456789abcdef, app_key: "file:$key"}
END
ok "with tokens of all three" begins <<END
github: {token: "file:$TEST_TMP/token", api_url: "https://ghe.example.org/api/v3"}
gitlab: {token: "env:GOOD_TOKEN", ca: $key}
gitea: {token: "env:GOOD_TOKEN"}
webhooks: {gitea_url: "https://gitea.example.org/sub"}
END
echo 'github: {app: 123456}' >"$conf"
is "$("$BERTH_BIN" config --config "$conf" --json |
    node -pe 'JSON.parse(require("fs").readFileSync(0)).settings["github.app"].value')" \
    123456 "the id is what was written"
ok "an App and a token" refuses github.app github.token 'not both' <<END
github: {app: 1, app_key: "file:$key", token: "env:GOOD_TOKEN"}
END
ok "an App without a key" refuses 'github.app_key is missing' <<END
github: {app: 1}
END
ok "a key without an App" refuses 'github.app is missing' <<END
github: {app_key: "file:$key"}
END
ok "a key that is none" refuses github.app 'private key' <<END
github: {app: 1, app_key: "file:$TEST_TMP/bad.pem"}
END
ok "a token that is not there" refuses gitlab.token NOTHING_HERE <<END
gitlab: {token: "env:NOTHING_HERE"}
END
ok "a token that is empty" refuses gitlab.token 'it is empty' <<END
gitlab: {token: "env:NO_TOKEN"}
END
ok "a file that is not there" refuses github.token /nonexistent <<END
github: {token: "file:/nonexistent"}
END
ok "a token of a host without an address" refuses webhooks.gitea_url <<END
gitea: {token: "env:GOOD_TOKEN"}
END
ok "certificates that are not there" refuses github.ca <<END
github: {ca: /nonexistent.pem}
END
done_testing
