#!/bin/bash
# tests/integration/systemd.sh - the units, and the configuration to copy.
# SPDX-License-Identifier: Apache-2.0
# timeout 120
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/job.sh
. "$(dirname "$0")/../lib/job.sh"
# shellcheck source=../lib/daemons.sh
. "$(dirname "$0")/../lib/daemons.sh"
cd "$TEST_TMP" || exit 1
unset BERTH_REDIS BERTH_REDIS_URL BERTH_CONFIG
units=$tap_root/deploy/systemd

# ---- the configuration ---------------------------------------------------------
is "$("$BERTH_BIN" validate --config "$tap_root/deploy/berth.yml" 2>&1)" \
    "$tap_root/deploy/berth.yml: valid" "deploy/berth.yml"
# The keys of the file alone that say something.
"$BERTH_BIN" config --config "$tap_root/deploy/berth.yml" >shown
is "$(awk '$1 == "pool.max_instances" { print $2 }' shown)" 8 "it is read"
like "$(grep -h '^TimeoutStopSec' "$units/berth-worker.service")" "=2h$" \
    "the unit waits for two hours"
is "$(awk '$1 == "worker.drain_timeout" { print $2 }' shown)" 1h \
    "which is more than the drain time"

# ---- what is installed --------------------------------------------------------------
ok "install" make -C "$tap_root" install-data DESTDIR="$TEST_TMP/root" \
    PREFIX=/opt/berth
share=root/opt/berth/share/berth
ok "the users of Redis" cmp "$tap_root/deploy/redis-acl.conf" \
    "$share/redis-acl.conf"
ok "the configuration" cmp "$tap_root/deploy/berth.yml" "$share/berth.yml"
is "$(sed -n 's/^ExecStart=//p' "$share"/systemd/*.service | sort)" \
    "/opt/berth/bin/berth scheduler
/opt/berth/bin/berth worker" "the units start what is installed"

# ---- the units ------------------------------------------------------------------
for name in worker scheduler; do
    sed "s|/usr/local/bin/berth|$BERTH_BIN|" "$units/berth-$name.service" \
        >"berth-$name.service"
    ok "$name: the command is there" \
        "$BERTH_BIN" help "$(sed -n 's/^ExecStart=[^ ]* //p' "berth-$name.service")"
done
if command -v systemd-analyze >/dev/null; then
    for name in worker scheduler; do
        # An unknown key is a complaint, but no failure.
        is "$(systemd-analyze verify --man=no "./berth-$name.service" 2>&1)" "" \
            "$name: systemd understands all of it"
    done
    ok "the scheduler is confined" systemd-analyze security --offline=true \
        --threshold=50 "./berth-scheduler.service"
else
    for name in worker scheduler security; do
        skip "$name" "systemd-analyze is not installed"
    done
fi

# ---- the scheduler's capabilities do ------------------------------------------------
if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
    skip "a scheduler with the unit's capabilities" \
        "needs root, and setpriv to drop the others"
    done_testing
    exit
fi
mkdir -p repo/.berth
printf 'name: mine\nsteps: [{run: "true"}]\n' >repo/.berth/mine.yml
make_repo repo
chmod 755 . repo
redis-server --port 0 --unixsocket "$TEST_TMP/s" --dir "$TEST_TMP" --save '' \
    >redis.log 2>&1 &
pids+=($!)
export BERTH_REDIS=unix://$TEST_TMP/s
ok "there is a Redis" wait_for redis-cli -s s ping
caps=$(sed -n 's/^CapabilityBoundingSet=//p' berth-scheduler.service |
    tr '[:upper:]' '[:lower:]' | sed 's/cap_/+/g; s/ /,/g')
like "$caps" "^\+setuid,\+" "the unit has capabilities"
setpriv --no-new-privs --bounding-set="-all,$caps" --inh-caps=-all \
    "$BERTH_BIN" scheduler --config /dev/null >scheduler.log 2>&1 &
pids+=($!)
printf 'repo: %s\npipeline: mine\n' "$TEST_TMP/repo" |
    redis-cli -s s -x lpush 'berth:{default}:inbox' >pushed
is_queued() {
    "$BERTH_BIN" ps --config /dev/null --state ready | grep -q ' mine '
}
ok "it reads a repository, as the mirrors' user" wait_for is_queued
is "$("$BERTH_BIN" rejected --config /dev/null)" "there are none" \
    "nothing is rejected"
not_ok "the mirror is not root's" grep -x 0 < <(
    find "$BERTH_STATE_DIR/mirrors" -mindepth 1 -maxdepth 1 -type d -printf '%U\n')
is "$(find "$BERTH_STATE_DIR/mirrors" -mindepth 1 -maxdepth 1 -type d | wc -l)" 1 \
    "and there is one"
done_testing
