#!/bin/bash
# tests/integration/acl.sh - berth with the least rights of deploy/redis-acl.conf.
# SPDX-License-Identifier: Apache-2.0
# timeout 600
#
# A Redis with those users, a replica and a sentinel; scheduler, worker and
# command line do all they can. Nothing is refused, and nothing was granted that
# is not used.
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/daemons.sh
. "$(dirname "$0")/../lib/daemons.sh"
cd "$TEST_TMP" || exit 1
unset BERTH_REDIS BERTH_REDIS_URL
acl=$tap_root/deploy/redis-acl.conf
export BERTH_STATE_DIR=$TEST_TMP/state BERTH_CONFIG=$TEST_TMP/berth.yml
port=$(node "$tap_root/tests/lib/free_port.js")
sentinel_port=$(node "$tap_root/tests/lib/free_port.js")
pool='berth:{default}:'
# as USER PASSWORD WORD…: redis-cli; the password not in its arguments
as() {
    REDISCLI_AUTH=$2 redis-cli -p "$port" --user "$1" "${@:3}"
}
admin() {
    as admin root "$@"
}
berth() {
    "$BERTH_BIN" "$@"
}

# ---- the servers ---------------------------------------------------------------
# For its log and the pool; the berth users are as they are shipped.
{
    sed -n '/^user/p' "$acl" | sed \
        -e 's/REPLACE-THIS-PASSWORD-OF-BERTH/pw/' \
        -e 's/REPLACE-THIS-PASSWORD-OF-SUBMIT/sub/'
    echo 'user admin on >root ~* &* +@all'
    echo 'user replica on >rep +psync +replconf +ping'
} >users.acl
mkdir master replica sentinel
redis-server --port "$port" --bind 127.0.0.1 --aclfile "$TEST_TMP/users.acl" \
    --dir "$TEST_TMP/master" --appendonly yes --save '' \
    --repl-diskless-sync-delay 0 >master.log 2>&1 &
pids+=($!)
ok "the server takes the file" wait_for admin ping
redis-server --port 0 --unixsocket "$TEST_TMP/replica.sock" --save '' \
    --dir "$TEST_TMP/replica" --replicaof "127.0.0.1 $port" \
    --masteruser replica --masterauth rep >replica.log 2>&1 &
pids+=($!)
has_replica() {
    admin info replication | grep -q 'state=online'
}
ok "a replica of the user in its comments" wait_for has_replica

# ---- the fleet -----------------------------------------------------------------
cat >berth.yml <<END_OF_FILE
redis: {url: "redis://berth:pw@127.0.0.1:$port", wait_replicas: 1}
pool: {max_instances: 3}
weights: {/srv/other: 2}
caps: {"*": 3}
queue: {backoff: 1s, infrastructure_retries: 0}
worker:
  {name: w1, capacity: 3, labels: [linux], min_disk: 1KiB, min_memory: 1KiB}
schedules:
  - name: past
    cron: "* * * * *"
    catch_up: one
    job: {pipeline: {name: cron, steps: [{run: echo by the clock}]}}
END_OF_FILE
# pipeline NAME COMMAND: a job document of one step
pipeline() {
    printf 'pipeline: {name: %s, sandbox: {instance_type: lite}, steps: [{run: "%s"}]}\n' \
        "$1" "$2"
}
pipeline first 'echo hello of first' >first.yml
# It prints while it is followed, so that its log is read on from a place in it.
{ pipeline lasting 'for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 1; done; sleep 300'; echo 'labels: [linux]'; } >lasting.yml
pipeline loud 'head -c 2500000 /dev/urandom | base64' >loud.yml
{ pipeline never true; echo 'labels: [none-has-this]'; } >never.yml
echo 'report: {forge: github, repo: acme/app, change: 1}' >>never.yml
{ pipeline late true; echo 'not_before: 1h'; } >late.yml
{ pipeline once true; echo 'dedupe: only'; } >once.yml
{ pipeline alone 'sleep 300'; echo 'concurrency: {group: g}'; } >alone.yml
cat >needs.yml <<'END_OF_FILE'
pipeline:
  name: needs
  sandbox: {instance_type: lite}
  jobs:
    build: {steps: [{run: echo built}]}
    test: {needs: build, steps: [{run: echo tested}]}
END_OF_FILE

# What a scheduler s1, and one that is gone, held when they died.
{
    admin lpush "${pool}inbox:s1" "$(pipeline held 'echo of s1')"
    admin lpush "${pool}inbox:gone" "$(pipeline gone 'echo of another')"
    admin lpush "${pool}inbox" 'kind: tset'
    admin zadd "${pool}schedulers" 1 gone
    # The schedule was last dealt with an hour ago.
    admin hset "${pool}crons" past "$(date -d '1 hour ago' +%s)000"
} >prepared
# From here on, each command that is counted is one of berth's.
admin config resetstat >reset

berth doctor >doctor.out 2>&1
is "$(grep -A1 'FAIL redis' doctor.out)" '' "doctor finds all that it needs"
like "$(<doctor.out)" "ok   redis-rights: all [0-9]+ commands" "and says so"
like "$(<doctor.out)" "appendfsync not told" "but for what it may not see"

"$BERTH_BIN" scheduler --name s1 >scheduler.log 2>&1 &
scheduler=$!
pids+=("$scheduler")
"$BERTH_BIN" worker >worker.log 2>&1 &
worker=$!
pids+=("$worker")

ok "submit --wait" berth submit --wait --id first first.yml
admin script flush >flushed
ok "submit --wait of a run with needs" berth submit --wait --id needs needs.yml
ended() {
    berth ps -a --json | grep -q "\"pipeline\": *\"$1\"" &&
        berth ps --state passed | grep -q " $1 "
}
ok "what a dead scheduler held is run" wait_for ended held
ok "what another held, too" wait_for ended gone
ok "a schedule fires" wait_for ended cron
ok "logs" berth logs first
like "$(berth status needs)" "test +" "status"

# ---- jobs that last -----------------------------------------------------------
runs() {
    berth status "$1" | grep -q "^job $1: $2"
}
for name in lasting never late alone; do
    berth submit --id "$name" "$name.yml"
done >ids
ok "a job with a label" wait_for runs lasting running
berth submit --id alone2 alone.yml >>ids
ok "a job of a group" wait_for runs alone running
like "$(berth ps)" "lasting +running" "ps"
like "$(berth queue)" "w1 +alive" "queue"
like "$(berth status never)" "never" "why a job waits"
left() {
    berth report "$1" | grep -q "waits.*failed.*no GitHub is configured"
}
ok "what no host is configured for is left to others" wait_for left never
berth submit --id once once.yml >>ids
berth submit once.yml >>ids 2>&1
like "$(tail -n 2 ids)" "same dedupe key" "a duplicate"
"$BERTH_BIN" logs -f lasting >follow.log 2>&1 &
follower=$!
ok "logs -f" wait_for grep -q 9 follow.log
kill "$follower"
wait "$follower"
ok "cancel" berth cancel lasting alone alone2
ok "it ends" wait_for runs lasting cancelled
ok "retry" berth retry lasting
ok "it runs again" wait_for runs lasting running
ok "and is cancelled again" berth cancel lasting
ok "drain" berth drain w1 --wait
ok "resume" berth resume w1
ok "more output than Redis keeps" berth submit --wait --id loud loud.yml
ok "its log is read" berth logs loud

# ---- what goes wrong ------------------------------------------------------------
is_rejected() {
    berth rejected | grep -q 'tset'
}
ok "a wrong one is rejected" wait_for is_rejected
bad=$(berth rejected | awk 'NR == 2 { print $1 }')
like "$(berth rejected "$bad")" "kind: tset" "rejected shows it"
ok "rejected --delete" berth rejected --delete "$bad"
berth submit --id doomed alone.yml >>ids
ok "another runs" wait_for runs doomed running
kill -KILL "$worker"
wait "$worker" 2>/dev/null
"$BERTH_BIN" worker >>worker.log 2>&1 &
pids+=($!)
is_dead() {
    berth dead | grep -q doomed
}
ok "what a killed worker had is dead" wait_for is_dead
ok "dead --retry-all" berth dead --retry-all
ok "cancel of it" berth cancel doomed

# ---- nothing was for nothing ---------------------------------------------------------
# The commands that were sent, those apart that need no right or are admin's.
count() {
    admin info commandstats | sed -n 's/^cmdstat_\([^:]*\):.*/\1/p' | sort |
        grep -vxE 'auth|hello|(acl|config|command)(\|.*)?|script\|flush|psync|replconf'
}
# Of a cluster: tests/unit/base/redis_cluster_test.c has one.
grep -q ASKING "$tap_root/base/redis_lane.c" && as berth pw asking >asked 2>&1
like "$(berth ps --redis "redis://berth:pw@127.0.0.1:$port/1")" "no such jobs" \
    "another database"
sed -n 's/^user berth .* -@all //p' "$acl" | tr ' ' '\n' | sed 's/^+//' >granted
all_called() {
    count >called
    [ -z "$(comm -23 <(grep -vx role granted | sort) <(sort called))" ]
}
wait_for all_called >still # what is done again and again is done by then
cat >sentinel/sentinel.conf <<END_OF_FILE
port $sentinel_port
bind 127.0.0.1
dir $TEST_TMP/sentinel
sentinel monitor ours 127.0.0.1 $port 1
sentinel auth-user ours admin
sentinel auth-pass ours root
END_OF_FILE
redis-server sentinel/sentinel.conf --sentinel >sentinel.log 2>&1 &
pids+=($!)
ok "there is a sentinel" wait_for redis-cli -p "$sentinel_port" ping
ok "through a sentinel" berth ps --redis \
    "redis+sentinel://berth:pw@127.0.0.1:$sentinel_port/ours"
count | grep -x role >>called # the others are the sentinel's own
ok "the file grants something" test "$(wc -l <granted)" -gt 40
is "$(comm -23 <(sort granted) <(sort called))" "" "what is granted was called"
is "$(comm -13 <(sort granted) <(sort called))" "" "what was called is granted"

# ---- somebody who only submits --------------------------------------------------------
is "$(as berth-submit sub -x lpush "${pool}inbox" < <(pipeline inbox 'echo in'))" \
    1 "berth-submit puts a document in"
ok "it is run" wait_for ended inbox

# ---- nothing was refused -----------------------------------------------------------------
is "$(admin acl log)" "" "Redis refused nothing"
is "$(grep -h -e NOPERM -e 'no permission' ./*.log doctor.out)" "" \
    "nor is a refusal in a log"

# ---- what must not be ---------------------------------------------------------------
admin set other:key x >answer
set -f # a * is a *
refused() {
    like "$(as "$2" "$1" "${@:3}" 2>&1)" "NOPERM" "$2: no ${*:3}"
}
for words in 'keys *' flushall 'config get *' 'config set dir /' 'acl list' \
    'get other:key' 'script flush' 'publish c x' shutdown 'replicaof no one' \
    'eval return(1) 1 other:key' 'client list' 'module list' monitor; do
    # shellcheck disable=SC2086 # they are several words
    refused pw berth $words
done
like "$(as berth pw eval "return redis.call('get', 'other:key')" 0 2>&1)" \
    "(can't|No permissions to) access .* key" "berth: nor by a script" # 7, 8
for words in "lrange ${pool}inbox 0 -1" "rpop ${pool}inbox" \
    "lpush ${pool}done x" "lpush ${pool}inbox:s1 x" 'lpush other:key x' \
    "del ${pool}inbox" 'eval return(1) 0' info; do
    # shellcheck disable=SC2086 # they are several words
    refused sub berth-submit $words
done
set +f
like "$(redis-cli -p "$port" ping 2>&1)" "NOAUTH" "nobody may do nothing"

# ---- rights that are missing -----------------------------------------------------------
admin acl setuser berth -blpop -xadd >answer
berth doctor >doctor.out 2>&1
is "$?" 1 "doctor fails without two of them"
like "$(grep -A1 redis-rights doctor.out)" \
    "FAIL redis-rights: .*: blpop, xadd"$'\n'"     ACL SETUSER berth ~berth:\* \+blpop \+xadd; " \
    "and says which, and what to do"
kill "$scheduler"
done_testing
