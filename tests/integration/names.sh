#!/bin/bash
# tests/integration/names.sh - Redis by a name, and a name server that is mute.
# SPDX-License-Identifier: Apache-2.0
# timeout 120
# long 20
#
# In a mount namespace with an /etc/hosts, resolv.conf and nsswitch.conf of its
# own, and a name server on loopback that never answers.
set -u
if [ "${NAMES_INSIDE:-}" != 1 ] && unshare -m true 2>/dev/null; then
    NAMES_INSIDE=1 exec unshare -m --propagation private bash "$0" "$@"
fi
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/fake_job.sh
. "$(dirname "$0")/../lib/fake_job.sh"
# shellcheck source=../lib/queue.sh
. "$(dirname "$0")/../lib/queue.sh"
cd "$TEST_TMP" || exit 1

if [ "${NAMES_INSIDE:-}" != 1 ]; then
    skip "Redis by a name" "mount namespaces cannot be made here"
    done_testing
    exit
fi

# ---- a host of our own -------------------------------------------------------
server=127.0.0.77
trap 'kill -9 "${redis_pid:-}" "${worker_pid:-}" "${mute_pid:-}" 2>/dev/null' EXIT
printf 'nameserver %s\noptions attempts:5\n' "$server" >resolv.conf
echo "hosts: files dns" >nsswitch.conf
hosts() { # hosts [NAME…]: that are known
    echo "127.0.0.1 localhost $*" >hosts
}
hosts redis.test
for file in hosts resolv.conf nsswitch.conf; do
    mount --bind "$file" "/etc/$file" 2>/dev/null && continue
    skip "Redis by a name" "this host has no /etc/$file to put another over"
    done_testing
    exit
done
perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(Proto => "udp", LocalAddr => $ARGV[0],
        LocalPort => 53) or die "$!";
    $| = 1;
    print "x" while defined $s->recv(my $m, 4096);
' "$server" >asked &
mute_pid=$!

port=$(node "$tap_root/tests/lib/free_port.js")
redis() { # by its port
    redis-cli -p "$port" "$@"
}
redis-server --port "$port" --bind 127.0.0.1 --dir "$TEST_TMP" --save '' \
    >redis.log 2>&1 &
redis_pid=$!
wait_for redis ping

submit() { # submit ID BEHAVIOUR
    job "$1" payload="{\"pipeline\":{\"name\":\"p\"},\"inputs\":{\"fake\":\"$2\"}}"
}
state() {
    redis hget "${pool}job:$1" state
}
# within SECONDS COMMAND…
within() {
    local until=$((${EPOCHREALTIME/./} + $1 * 1000000))
    while ! "${@:2}"; do
        [ "${EPOCHREALTIME/./}" -lt "$until" ] || return 1
        sleep 0.02
    done
}
# shellcheck disable=SC2317 # within calls these
{
    says() { grep -Eq -e "$1" worker.log; }
    resolves() { pgrep -P "$worker_pid" -x getent; }
    is_renewed() { [ "$(redis zscore 'berth:{default}:leases' "$1")" != "$2" ]; }
    is_gone() { [ -z "$1" ] || ! kill -0 "$1" 2>/dev/null; }
    has_ended() { ! kill -0 "$worker_pid" 2>/dev/null; }
}

# ---- while the worker has a job, its name server goes mute -------------------
cat >berth.yml <<Y
state_dir: $BERTH_STATE_DIR
redis: { url: "redis://redis.test:$port" }
worker: { name: w1, capacity: 1, min_disk: 1KiB, min_memory: 1KiB }
lease: { duration: 60s, renew: 1s, kill_after: 50s }
Y
BERTH_LIBEXEC=$fake_libexec "$BERTH_BIN" worker --config berth.yml \
    >worker.log 2>&1 &
worker_pid=$!
submit one hang
ok "a name of /etc/hosts is found" within 60 says "job one: started"
hosts
redis client kill type normal skipme yes >/dev/null
ok "a lost connection has the name resolved anew" within 60 resolves
ok "by the server that is mute" within 60 test -s asked
kill -HUP "$worker_pid"
ok "HUP is heard meanwhile" within 4 says "the configuration was read again"
kill -TERM "$worker_pid"
ok "and TERM" within 4 says "draining: 1 running"
ok "the name is still being resolved" resolves
# What was under way when the connection was lost may have been told before.
resolver=$(resolves | head -n 1)
ok "which ends" within 60 is_gone "$resolver"
ok "and is told" within 60 says "Redis is away"
ok "the job goes on" test "$(state one)" = running

# ---- it answers again --------------------------------------------------------
hosts redis.test
ok "a name that is known again is found" within 60 says "Redis is back"
kill -TERM "$worker_pid"
ok "the worker ends" within 60 has_ended
is "$(state one)" cancelled "and has stored its job's result"
is "$(pgrep -x getent -P "$worker_pid")" '' "no process is left"

# ---- one-shot commands -------------------------------------------------------
echo "hosts: files" >nsswitch.conf
like "$("$BERTH_BIN" ps --redis redis://nowhere.test 2>&1)" \
    "redis://nowhere.test:6379/0: the name 'nowhere.test' does not resolve" \
    "a name that there is not is told"
echo "hosts: dns" >nsswitch.conf
began=$SECONDS
like "$("$BERTH_BIN" ps --redis redis://nowhere.test 2>&1)" \
    "the name 'nowhere.test' was not resolved in 10 s" \
    "and one that nobody tells"
ok "in time" test $((SECONDS - began)) -le 13
done_testing
