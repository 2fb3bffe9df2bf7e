#!/bin/bash
# tests/integration/private.sh - private repositories, with a token for each.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
# long 60
#
# A host, a scheduler with its App, a worker that is enrolled: jobs of a private
# repository run, and their tokens are nowhere but where they are used.
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/checkout.sh
. "$tap_root/tests/lib/checkout.sh"
unset BERTH_REDIS BERTH_REDIS_URL
export BERTH_STATE_DIR=$T/state BERTH_CONFIG=$T/berth.yml

berth() {
    "$BERTH_BIN" "$@"
}
cli() {
    redis-cli -s "$T/s" "$@"
}

# ---- the host -------------------------------------------------------------------
mkdir -p host/acme
git init -q -b main work
echo 'what is private' >work/secret.txt
git -C work add -A
git -C work commit -qm first
commit=$(git -C work rev-parse HEAD)
git clone -q --bare work host/acme/app.git
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out app.pem \
    2>openssl.log
openssl pkey -in app.pem -pubout -out app.pub 2>>openssl.log
: >tokens
node "$tap_root/tests/integration/private_server.js" "$T/host" port tokens \
    host.log app.pub >server.out 2>&1 &
pids+=($!)
ok "the host listens" wait_for test -s port
base=http://127.0.0.1:$(<port)

# ---- the pool -------------------------------------------------------------------
redis-server --port 0 --unixsocket "$T/s" --dir "$T" --appendonly yes \
    --save '' >redis.log 2>&1 &
pids+=($!)
ok "Redis is there" wait_for cli ping
cli monitor >monitor.log 2>&1 &
pids+=($!)

write_config() { # write_config LINE…: beside what all have
    cat >berth.yml <<END_OF_FILE
redis: {url: "unix://$T/s"}
pool: {max_instances: 3}
queue: {infrastructure_retries: 0}
worker: {name: w1, capacity: 3, min_disk: 1KiB, min_memory: 1KiB}
webhooks: {github_url: "$base", reconcile: 0s}
github: {api_url: "$base/api", app: "12345", app_key: "file:$T/app.pem"}
END_OF_FILE
    printf '%s\n' "$@" >>berth.yml
}
write_config
like "$(berth doctor 2>&1)" "ok +worker-key: no key" "doctor says what is missing"
enrolled=$(berth worker-key)
like "$enrolled" "^w1=[A-Za-z0-9+/]{43}=$" "berth worker-key prints what enrols"
is "$(berth worker-key)" "$enrolled" "and again the same"
is "$(stat -c %a "$BERTH_STATE_DIR/worker.key")" 600 "its key is for its owner"
ok "doctor shows it" grep -qF "worker-key: $enrolled" <(berth doctor 2>&1)

"$BERTH_BIN" scheduler --name s1 >scheduler.log 2>&1 &
scheduler=$!
pids+=("$scheduler")
"$BERTH_BIN" worker >worker.log 2>&1 &
worker=$!
pids+=("$worker")
# What it says first is said before Redis knows of it.
is_known() { [ "$(cli ZCARD 'berth:{default}:schedulers')" = 1 ]; }
ok "the scheduler is up" wait_for is_known

job_of() { # job_of ADDRESS COMMAND
    printf 'repo: "%s"\ncommit: %s\npipeline: {name: p, sandbox: {instance_type: lite}, steps: [{checkout: }, {run: "%s"}]}\n' \
        "$1" "$commit" "$2"
}
submit() { # submit ID ADDRESS COMMAND: its exit status
    job_of "$2" "$3" >"$1.yml"
    berth submit --wait --id "$1" "$1.yml" >"$1.out" 2>&1
}

# ---- not enrolled -----------------------------------------------------------------
submit stranger "$base/acme/app.git" 'cat secret.txt'
is "$?" 1 "a worker that is not enrolled cannot read it"
berth logs stranger >stranger.log 2>&1
like "$(<stranger.log)" "this worker is not enrolled with a scheduler" \
    "which the log says"
is "$(wc -l <tokens)" 0 "no token was made"

# ---- enrolled ---------------------------------------------------------------------
write_config "scheduler: {workers: [\"$enrolled\"]}"
kill -HUP "$scheduler"
ok "the scheduler is told" wait_for grep -q 'read again' scheduler.log
touch port.hold
submit first "$base/acme/app.git" \
    'cat secret.txt; git log --oneline; grep -r -e ghs_ -e x-access-token . || git config -l; env' &
first=$!
ok "it is asked for with a token" wait_for grep -q '^200 ' host.log
look_at_processes() {
    cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null
}
look_at_processes >fetching
ok "by checkout" grep -qa libexec/berth/checkout fetching
rm port.hold
wait "$first"
is "$?" 0 "a job of it passes"
berth logs first >first.log 2>&1
like "$(<first.log)" "what is private" "and had its tree"
is "$(wc -l <tokens)" 1 "with a token"
is "$(grep -c refused host.log)" 0 "that can only read this repository"

# One that lasts, to look at all that runs.
job_of "$base/acme/app.git" 'echo $((40 + 2))up; sleep 120' >lasting.yml
berth submit --id lasting lasting.yml >lasting.out 2>&1
logged() {
    berth logs lasting 2>/dev/null | grep -q 42up
}
ok "another" wait_for logged
is "$(wc -l <tokens)" 2 "with another token"
is "$(find "$BERTH_STATE_DIR/mirrors" -mindepth 1 -maxdepth 1 -name '*acme-app*' | wc -l)" \
    2 "finds the mirror of the first, not that of no token"
look_at_processes >processes
cli save >save.out
berth cancel lasting >cancel.out

# ---- where they are not ------------------------------------------------------------
# found WHERE…: how many files have one of the tokens, or its base64
{
    cat tokens
    while read -r token; do
        printf 'x-access-token:%s' "$token" | base64 -w 0 | cut -c 25-70
        printf '%s' "$token" | base64 -w 0 | cut -c 1-40
    done <tokens
} >needles
found() {
    grep -rlaF -f needles "$@" 2>/dev/null | grep -vxE "$T/(tokens|needles)"
}
is "$(grep -c . needles)" 6 "there is something to look for"
is "$(found tokens | wc -l)" 1 "and it would be found"
is "$(found "$T/monitor.log" "$T/dump.rdb" "$T/appendonlydir")" '' \
    "not in Redis: commands, dump, append-only file"
ok "where the answers went by" grep -q 'answer:first:1' monitor.log
is "$(found "$T"/*.log "$T"/*.out)" '' "not in a log"
is "$(found "$T/fetching" "$T/processes")" '' "in no environment and no arguments"
is "$(found "$BERTH_STATE_DIR")" '' "not in the state directory"
is "$(cli --scan --pattern 'berth:*a[ns][sk]*' | grep -E ':(asks|answer)')" '' \
    "nothing waits"

# ---- what else there is -------------------------------------------------------------
submit other "$base/acme/none.git" true
is "$?" 1 "a repository that is not there"
submit elsewhere "http://localhost:$(<port)/acme/app.git" true
is "$?" 1 "another address of the same host"
berth logs elsewhere >elsewhere.log 2>&1
like "$(<elsewhere.log)" "of no host that the scheduler knows" "gets none"
kill "$worker"
wait "$worker"
rm "$BERTH_STATE_DIR/worker.key"
berth worker-key >second.out
"$BERTH_BIN" worker >worker2.log 2>&1 &
pids+=($!)
submit wrong "$base/acme/app.git" true
is "$?" 1 "another key than the one enrolled"
berth logs wrong >wrong.log 2>&1
like "$(<wrong.log)" "cannot be opened" "opens nothing"

# ---- without a scheduler's help -------------------------------------------------------
token=$(tail -n 1 tokens)
printf 'x-access-token:%s\n' "$token" >read-only
chmod 600 read-only
cat >local.yml <<END_OF_FILE
redis: {url: "unix://$T/s"}
pool: {name: local}
worker: {name: w2, capacity: 1, min_disk: 1KiB, min_memory: 1KiB}
checkout: {credentials: ["http+/127.0.0.1:*/acme/*=file:$T/read-only"]}
END_OF_FILE
mkdir state2
BERTH_STATE_DIR=$T/state2 "$BERTH_BIN" worker --config local.yml >worker3.log 2>&1 &
pids+=($!)
job_of "$base/acme/app.git" 'cat secret.txt' >local-job.yml
berth submit --config local.yml --pool local --wait --id local local-job.yml \
    >local.out 2>&1
is "$?" 0 "a token of the worker's own"
done_testing
