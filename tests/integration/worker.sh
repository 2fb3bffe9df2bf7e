#!/bin/bash
# tests/integration/worker.sh - `berth worker`: signals, configuration, Redis.
# SPDX-License-Identifier: Apache-2.0
# timeout 240
# long 40
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/fake_job.sh
. "$(dirname "$0")/../lib/fake_job.sh"
# shellcheck source=../lib/queue.sh
. "$tap_root/tests/lib/queue.sh"
cd "$TEST_TMP" || exit 1

# ---- Redis, and jobs in it ---------------------------------------------------
socket=$TEST_TMP/s
start_redis() { # start_redis [PASSWORD]
    redis-server --port 0 --unixsocket "$socket" --dir "$TEST_TMP" --save "" \
        --requirepass "${1:-}" >/dev/null 2>&1 &
    redis_pid=$!
    wait_for redis-cli -s "$socket" ping
}
stop_redis() {
    kill -9 "$redis_pid" 2>/dev/null
    wait "$redis_pid" 2>/dev/null
}
trap 'stop_redis; kill -9 "${worker_pid:-}" "${up_pid:-}" 2>/dev/null' EXIT

submit() { # submit ID BEHAVIOUR
    job "$1" infra_retries=0 \
        payload="{\"pipeline\":{\"name\":\"p\"},\"inputs\":{\"fake\":\"$2\"}}"
}
state() {
    redis-cli -s "$socket" hget "berth:{default}:job:$1" state
}
# wait_state ID STATE
is_in() {
    [ "$(state "$1")" = "$2" ]
}
wait_state() {
    wait_for is_in "$@"
}

# ---- the worker ----------------------------------------------------------------
cat >berth.yml <<Y
state_dir: $BERTH_STATE_DIR
redis: { url: "unix://$socket" }
pool: { max_instances: 10 }
worker: { name: w1, capacity: 1, min_disk: 1KiB, min_memory: 1KiB }
Y
start_worker() { # start_worker [OPTION…]
    : >worker.log
    BERTH_LIBEXEC=$fake_libexec "$BERTH_BIN" worker --config berth.yml "$@" \
        >worker.log 2>&1 &
    worker_pid=$!
}
# ended: its exit status in $status
ended() {
    status=0
    wait "$worker_pid" || status=$?
    worker_pid=
}
# wait_log REGEX
wait_log() {
    wait_for grep -Eq -e "$1" worker.log && return
    cat worker.log
    return 1
}

# ---- what is wrong from the start ----------------------------------------------
echo "worker: { capacity: 0 }" >wrong.yml
exits() { # exits STATUS WHAT OPTION…: what it said is in wrong.log
    "$BERTH_BIN" worker "${@:3}" >wrong.log 2>&1
    is $? "$1" "$2"
}
exits 2 "a wrong configuration" --config wrong.yml
like "$(cat wrong.log)" "wrong.yml:1:" "says where it is wrong"
exits 2 "a wrong option" --capacity 3
exits 2 "a wrong name" --config berth.yml --name 'a b'
like "$(cat wrong.log)" "name 'a b'" "is named"
exits 2 "a wrong pool" --config berth.yml --pool 'a b'
exits 2 "a wrong address" --config berth.yml --redis ftp://x
exits 3 "no Redis at all" --set "state_dir=$TEST_TMP/x"
like "$(cat wrong.log)" "name it with --redis URL or BERTH_REDIS" \
    "says what to set"
start_redis secret
start_worker
ended
is "$status" 1 "a missing password ends it"
like "$(cat worker.log)" "Redis refuses this worker: .*NOAUTH" "it says so"
stop_redis

# ---- Redis is away at first ------------------------------------------------------
start_worker
ok "it waits for Redis" wait_log "worker w1: pool default, 1 jobs at a time"
sleep 1
ok "and does not end" kill -0 "$worker_pid"
start_redis
submit one pass
ok "a job is taken and passes" wait_state one passed
ok "which the log says" wait_log "job one: passed"

# ---- Redis is mute at first ------------------------------------------------------
perl -MIO::Socket::UNIX -e '
    my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die "$!";
    push @c, $s->accept while 1' "$TEST_TMP/mute.sock" &
mute_pid=$!
wait_for test -S mute.sock
BERTH_LIBEXEC=$fake_libexec "$BERTH_BIN" worker --config berth.yml \
    --set worker.name=w2 --redis "unix://$TEST_TMP/mute.sock" >mute.log 2>&1 &
early_pid=$!
says() { # says TEXT
    wait_for grep -q "$1" mute.log
}
ok "a mute Redis is waited for" says "worker w2: pool default"
kill -HUP "$early_pid"
ok "HUP is heard meanwhile" says "the configuration was read again"
began=${EPOCHREALTIME/./}
kill -TERM "$early_pid"
wait "$early_pid"
is "$?" 0 "TERM ends it well"
# What it asked is given up after 10 s.
ok "and it does not wait for an answer" \
    test $((${EPOCHREALTIME/./} - began)) -lt 5000000
kill -9 "$mute_pid"

# ---- a second one of the name ------------------------------------------------------
BERTH_LIBEXEC=$fake_libexec "$BERTH_BIN" worker --config berth.yml >second.log 2>&1
is "$?" 1 "a second worker of the name does not start"
like "$(cat second.log)" "another worker called 'w1' runs on this host" \
    "and says why"

# ---- its configuration changes --------------------------------------------------------
submit two hang
ok "one job runs" wait_log "job two: started"
submit three hang
sleep 0.5
is "$(state three)" ready "there is room for one"
sed -i 's/capacity: 1/capacity: 2/; s/max_instances: 10/max_instances: 0/' berth.yml
kill -HUP "$worker_pid"
ok "a wrong configuration is not taken" \
    wait_log "the configuration stays as it was"
sed -i 's/max_instances: 0/max_instances: 10/; s/name: w1/name: w9/' berth.yml
kill -HUP "$worker_pid"
ok "another name needs a restart" wait_log "'worker.name' stays 'w1'"
ok "another capacity does not" wait_log "job three: started"
sed -i 's/name: w9/name: w1/' berth.yml

# ---- how it ends -------------------------------------------------------------------------
kill -TERM "$worker_pid"
ok "TERM drains" wait_log "draining: 2 running"
submit four pass
sleep 0.5
is "$(state four)" ready "no further job is taken"
is "$(redis-cli -s "$socket" hget 'berth:{default}:worker:w1' state)" draining \
    "which others can see"
kill -TERM "$worker_pid"
ended
is "$status" 0 "a second TERM cancels what runs, then it ends"
is "$(state two) $(state three)" "cancelled cancelled" "as the jobs say"

start_worker
ok "its successor takes the next" wait_state four passed
submit five sleep
ok "and another" wait_log "job five: started"
kill -TERM "$worker_pid"
ended
is "$status" 0 "a drained worker ends"
is "$(state five)" passed "its job has run to its end"

start_worker
submit six stubborn
ok "a job that takes two cancellations" wait_log "job six: started"
kill -INT "$worker_pid"
ok "INT cancels at once" wait_log "cancelling what runs"
sleep 0.5
ok "it does not end by that" kill -0 "$worker_pid"
kill -INT "$worker_pid"
ended
is "$status" 0 "once more kills"
is "$(pgrep -f "$fake_libexec/run-job")" "" "no run-job is left"
is "$(state six)" running "that job has no result"
redis-cli -s "$socket" config resetstat >/dev/null
start_worker
has_reason() {
    [ "$(redis-cli -s "$socket" hget 'berth:{default}:job:six' reason)" ]
}
wait_for has_reason
is "$(redis-cli -s "$socket" hget 'berth:{default}:job:six' reason)" \
    worker_lost "the next worker gives it back"
kill -TERM "$worker_pid"
ended

# ---- how the service manager sees it ---------------------------------------------------------
perl -MIO::Socket::UNIX -MSocket -e '
    my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die;
    $| = 1;
    while (defined $s->recv(my $m, 4096)) { print "$m\n" }
' "$TEST_TMP/notify" >notified 2>/dev/null &
listener=$!
wait_for test -S notify
NOTIFY_SOCKET=$TEST_TMP/notify start_worker
wait_for grep -q "STATUS=0 of" notified
kill -TERM "$worker_pid"
ended
wait_for grep -q "STOPPING=1" notified
kill "$listener" 2>/dev/null
like "$(cat notified)" "READY=1" "it says that it is up"
like "$(cat notified)" "STATUS=0 of 2 jobs run" "and what it does"
like "$(cat notified)" "STOPPING=1" "and that it ends"

# ---- Redis lets an idle worker in no more ---------------------------------------------------
redis_cli() {
    redis-cli -s "$socket" "$@" >/dev/null
}
start_worker --set worker.poll=1s
is_idle() {
    [ "$(redis-cli -s "$socket" exists 'berth:{default}:idle')" = 1 ]
}
wait_for is_idle
redis_cli config set requirepass other # the worker has none
redis_cli --no-auth-warning -a other client kill type normal skipme yes
ok "a password that is wrong by now is told" \
    wait_log "Redis refuses: .*(NOAUTH|unauthenticated)"
sleep 12 # calls that wait are given up after 10 s, each of them
is "$(grep -c 'Redis refuses' worker.log)" 1 "once"
redis_cli --no-auth-warning -a other acl setuser default nopass -blpop
ok "what it refuses next, too" \
    wait_log "Redis refuses: .*NOPERM.* 'blpop' command"
sleep 2
is "$(grep -c "NOPERM" worker.log)" 1 "once"
submit seven pass
ok "what is allowed is done" wait_state seven passed
redis_cli acl setuser default +@all
ok "and its end" wait_log "Redis is back"
kill -TERM "$worker_pid"
ended

# ---- logs that are too old -------------------------------------------------------------------
mkdir -p "$BERTH_STATE_DIR/logs/ol"
touch -d '3 hours ago' "$BERTH_STATE_DIR/logs/ol/old-1.log"
touch -d '1 hour ago' "$BERTH_STATE_DIR/logs/ol/older-1.log"
start_worker --set log.keep=2h
ok "are removed" wait_log "old logs: removed 1 of them"
is "$(ls "$BERTH_STATE_DIR/logs/ol")" older-1.log "and no others"
kill -TERM "$worker_pid"
ended

# ---- options win over the configuration -------------------------------------------------------
sed -i "s|unix://$socket|unix://$TEST_TMP/no.sock|" berth.yml
start_worker --redis "unix://$socket" --pool other --name w2
ok "a name and a pool are options" wait_log "worker w2: pool other"
is_known() {
    [ "$(redis-cli -s "$socket" hget 'berth:{other}:worker:w2' state)" ]
}
wait_for is_known
is "$(redis-cli -s "$socket" hget 'berth:{other}:worker:w2' state)" active \
    "and so is the Redis"
kill -HUP "$worker_pid"
ok "a reload" wait_log "the configuration was read again"
kill -TERM "$worker_pid"
ended
like "$(cat worker.log)" "worker w2: ended" "keeps them"

# ---- the Redis of another berth ----------------------------------------------------------------
BERTH_LIBEXEC=$fake_libexec "$BERTH_BIN" up --set "state_dir=$TEST_TMP/up" \
    --set worker.name=of-up >up.log 2>&1 &
up_pid=$!
wait_for grep -q "worker of-up: pool" up.log
BERTH_LIBEXEC=$fake_libexec "$BERTH_BIN" worker --name beside \
    --set "state_dir=$TEST_TMP/up" >worker.log 2>&1 &
worker_pid=$!
ok "one that runs here is found" wait_log "worker beside: pool default"
kill -TERM "$worker_pid"
ended
is "$status" 0 "and used until the end"
kill -TERM "$up_pid"
wait "$up_pid"
is $? 0 "its owner goes on"
"$BERTH_BIN" up --config wrong.yml >wrong.log 2>&1
is $? 2 "berth up is as strict"
done_testing
