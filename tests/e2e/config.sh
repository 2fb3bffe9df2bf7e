#!/bin/bash
# tests/e2e/config.sh - berth config and berth validate --config.
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
cd "$TEST_TMP" || exit 1
unset BERTH_REDIS BERTH_CONFIG

# config ARGUMENT…: sets status, out, err
config() {
    status=0
    out=$("$BERTH_BIN" config "$@" 2>err) || status=$?
    err=$(<err)
}

# origin_of KEY: value and origin in $out
origin_of() {
    awk -v key="$1" '$1 == key { $1 = ""; print substr($0, 2) }' <<<"$out"
}

# json EXPRESSION: of d, the document in $out
json() {
    node -e 'const d = JSON.parse(require("fs").readFileSync(0, "utf8"));
        console.log(JSON.stringify(eval(process.argv[1])))' "$1" <<<"$out"
}

cat >good.yml <<'END'
redis:
  url: redis://berth:hunter22@queue.example.org
lease:
  renew: 15s
worker: {labels: [linux, large]}
schedules:
  - {name: nightly, cron: "@nightly", job: {kind: test, repo: /srv/r}}
  - {name: weekly, cron: "@weekly", job: {kind: test, repo: /srv/r}}
END

config --config /dev/null
is "$status" 0 "an empty file is fine"
is "$(origin_of lease.renew)" "20s default" "a default"
is "$(origin_of worker.capacity)" "$(nproc) default" "one that the host decides"
is "$(origin_of state_dir)" "$BERTH_STATE_DIR \$BERTH_STATE_DIR" \
    "an environment variable that was there before"
is "$(origin_of log.store)" "$BERTH_STATE_DIR/logs default" \
    "a default made of another value"

export BERTH_CONFIG=good.yml
config
is "$(origin_of lease.renew)" "15s good.yml:4:10" "BERTH_CONFIG names a file"
is "$(origin_of worker.labels)" "linux,large good.yml:5:18" "a list"
is "$(origin_of schedules)" "nightly,weekly good.yml:7:3" "schedules by name"
is "$(origin_of redis.url)" "(set) good.yml:2:8" "a secret is not shown"
ok "not anywhere" test "${out/hunter22/}" = "$out"
BERTH_LEASE_RENEW=16s config
is "$(origin_of lease.renew)" "16s \$BERTH_LEASE_RENEW" "the environment wins"
BERTH_LEASE_RENEW=16s config --set lease.renew=17s --set lease.renew=18s
is "$(origin_of lease.renew)" "18s --set" "--set wins; the last does"
BERTH_REDIS=unix:///x config
is "$(origin_of redis.url)" "(set) \$BERTH_REDIS" "BERTH_REDIS is redis.url"
config --config /dev/null
is "$(origin_of lease.renew)" "20s default" "--config is in place of BERTH_CONFIG"

config --check
is "$status $out$err" "0 the configuration is valid" "--check of a valid one"
cat >bad.yml <<'END'
redis: {url: "redis://berth:hunter22@queue.example.org:x"}
lease: {renwe: 5s, kill_after: soon}
schedules: [{name: a, cron: "@daily", job: {kind: tset}}]
END
BERTH_WORKER_POLL=often config --config bad.yml --check --set queue.kep=4d
is "$status" 1 "--check of an invalid one"
like "$err" "bad\.yml:1:14: 'redis\.url'" "all errors: a value"
like "$err" "bad\.yml:2:9: unknown key 'lease\.renwe'; did you mean 'renew'\?" \
    "an unknown key"
like "$err" "bad\.yml:2:32: 'lease\.kill_after'" "a second one of the line"
like "$err" "bad\.yml:3:51: 'tset' is not one of" "a job document's"
like "$err" "\\\$BERTH_WORKER_POLL: 'worker\.poll'" "a variable's"
like "$err" "--set: unknown key 'queue\.kep'; did you mean 'queue\.keep'\?" \
    "an option's"
ok "no password in them" test "${err/hunter22/}" = "$err"
is "$out" "" "nothing on standard output"

config --config bad.yml --json
is "$status $(json '[d.valid, d.errors.length, "settings" in d]')" \
    "1 [false,4,false]" "errors as JSON"
config --json
is "$(json 'Object.values(d.settings["worker.labels"]).slice(0, 3)')" \
    '[["linux","large"],"good.yml:5:18","list"]' "a value as JSON"
is "$(json 'd.settings["redis.url"].value')" '"(set)"' "no secret in JSON"
is "$(json 'd.settings.schedules.value[1].name')" '"weekly"' \
    "schedules as JSON"

config --config not-there.yml
like "$status $err" "^1 .*not-there\.yml" "a file that is not there"
config --nonsense
is "$status" 2 "wrong usage"
config --help
like "$out" "lease\.kill_grace" "the help lists the keys"

status=0
"$BERTH_BIN" validate --config good.yml bad.yml >out 2>err || status=$?
is "$status $(<out)" "1 good.yml: valid" "validate --config looks at files"
ok "and shows no line of them" test "$(grep -c hunter22 err)" = 0
status=0
"$BERTH_BIN" validate --config --job good.yml >out 2>&1 || status=$?
is "$status" 2 "--config and --job exclude each other"
done_testing
