#!/bin/bash
# tests/integration/doctor.sh - berth doctor, with Redises in all conditions.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
fakes=$(cd "$(dirname "$0")/../fakes" && pwd)
cd "$TEST_TMP" || exit 1
unset BERTH_REDIS BERTH_REDIS_URL BERTH_CONFIG
export BERTH_CONFIG=/dev/null
mkdir -p "${BERTH_STATE_DIR:=$TEST_TMP/state}"
export BERTH_STATE_DIR
servers=()

stop_all() {
    local pid
    for pid in ${servers[@]+"${servers[@]}"}; do
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    servers=()
}
trap stop_all EXIT

# cli NAME WORD…: a command to the server of that name
cli() {
    local name=$1
    shift
    redis-cli -s "$TEST_TMP/$name.sock" "$@"
}

# server NAME OPTION…: a redis-server on NAME.sock, with its data in NAME
server() {
    local name=$1
    shift
    mkdir -p "$name"
    redis-server --port 0 --unixsocket "$TEST_TMP/$name.sock" \
        --dir "$TEST_TMP/$name" --save "" --loglevel warning \
        "$@" >"$name.log" 2>&1 &
    servers+=($!)
    wait_for cli "$name" ping
}

# doctor [NAME] OPTION…: sets status, out, err
doctor() {
    status=0
    if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then
        local url=unix://$TEST_TMP/$1.sock
        shift
        set -- --set "redis.url=${URL:-$url}" "$@"
    fi
    out=$("$BERTH_BIN" doctor "$@" 2>err) || status=$?
    err=$(<err)
}

# line NAME: what was found, and the advice below it
line() {
    awk -v name="$1:" '$2 == name { print; found = 1; next }
        found && /^     / { print } { found = 0 }' <<<"$out"
}

# ---- no Redis
doctor
like "$(line redis)" "^ok   redis: none is configured" "none is configured"
ok "then nothing is asked of it" test "${out/redis-/}" = "$out"
doctor down --set worker.min_disk=0B
is "$status" 1 "a Redis that is down fails"
like "$(line redis)" "^FAIL redis: .*down\.sock.*"$'\n'"     start it, or set" \
    "it is named, and what to do"
ok "then nothing more is asked of it" test "${out/redis-/}" = "$out"
like "$(line disk)" "^ok   disk: .* free in '$BERTH_STATE_DIR'" \
    "the host is looked at all the same"

# ---- a good one
server good --appendonly yes
doctor good
for name in redis redis-version redis-role redis-memory redis-persistence \
    redis-saves redis-replicas redis-clock redis-rights redis-scripts; do
    like "$(line "$name")" "^ok   $name: " "a good one: $name"
done
is "$(cli good dbsize)" 0 "nothing is left in it"
is "$status" "$(grep -q ^FAIL <<<"$out" && echo 1 || echo 0)" \
    "exit 1 is for what FAILs, and only that"
BERTH_REDIS=unix://$TEST_TMP/good.sock doctor
like "$(line redis-scripts)" "^ok " "BERTH_REDIS is asked"

# ---- what makes it lose jobs
cli good config set maxmemory-policy allkeys-lru >/dev/null
doctor good
is "$status" 1 "a Redis that evicts fails"
like "$(line redis-memory)" \
    "^FAIL redis-memory: .*'allkeys-lru'.*"$'\n'"     CONFIG SET maxmemory-policy noeviction" \
    "what to do about it"
cli good config set maxmemory-policy noeviction >/dev/null
cli good config set appendfsync no >/dev/null
doctor good
like "$(line redis-persistence)" "^warn redis-persistence: .*appendfsync" \
    "no fsync is a warning"
cli good config set appendonly no >/dev/null
doctor good
like "$(line redis-persistence)" \
    "^warn redis-persistence: there is no append-only file" \
    "no append-only file is one"
rm -rf good
cli good bgsave >/dev/null
wait_for sh -c "redis-cli -s '$TEST_TMP/good.sock' info persistence |
    grep -q rdb_last_bgsave_status:err"
doctor good
like "$(line redis-saves)" "^FAIL redis-saves: rdb_last_bgsave_status is 'err'" \
    "a save that failed"

# ---- rights
cli good acl setuser weak on '>secret' '~*' +info +ping +time +select >/dev/null
URL=unix://weak:secret@$TEST_TMP/good.sock doctor good
like "$(line redis-scripts)" "^FAIL redis-scripts: .*NOPERM" \
    "a user without scripts"
like "$(line redis-rights)" \
    "^FAIL redis-rights: cannot ask .*"$'\n'"     ACL SETUSER weak .* \+eval" \
    "told how to get rights"
like "$(line redis-persistence)" "^warn" "one without CONFIG is no failure"
ok "the password is not shown" test "${out/secret/}" = "$out"
cli good acl setuser mute on '>secret' '~*' +ping >/dev/null
URL=unix://mute:secret@$TEST_TMP/good.sock doctor good
like "$(line redis)" "^FAIL redis: reached, but .*"$'\n'"     allow INFO" \
    "a user without INFO"
URL=unix://weak:wrong1@$TEST_TMP/good.sock doctor good
like "$(line redis)" "^FAIL redis: " "a wrong password"
ok "it is not shown" test "${out/wrong1/}" = "$out"

# ---- replicas
doctor good --set redis.wait_replicas=1
like "$(line redis-replicas)" "^FAIL redis-replicas: 0 connected" \
    "too few replicas"
redis-server --port 0 --unixsocket "$TEST_TMP/replica.sock" --save "" \
    --replicaof 127.0.0.1 1 >replica.log 2>&1 &
servers+=($!)
wait_for cli replica ping
doctor replica
like "$(line redis-role)" "^FAIL redis-role: it is a 'slave'" "a replica"
stop_all

# ---- another version, another clock
node "$fakes/redis.js" "$TEST_TMP/old.sock" 6.2.14 -90 &
servers+=($!)
wait_for test -S old.sock
doctor old
like "$(line redis-version)" "^FAIL redis-version: Redis 6\.2\.14 is too old" \
    "an old version"
like "$(line redis-clock)" "^warn redis-clock: .* behind this host's" \
    "a clock that is off"
like "$(line redis-replicas)" "^warn redis-replicas: .* 60 s behind" \
    "a replica that is behind"
like "$(line redis-scripts)" "^FAIL redis-scripts: " "no scripts"
like "$(line redis-latency)" "^(ok  |warn) redis-latency: .* ms \(p99\)" \
    "round trips are measured"
stop_all

# ---- the host
doctor --set worker.min_disk=900TiB --set worker.min_memory=900TiB
is "$status" 1 "too little space fails"
like "$(line disk)" "^FAIL disk: .* less than worker\.min_disk" "disk"
like "$(line memory)" "^FAIL memory: .* less than worker\.min_memory" "memory"
is "$(ls "$BERTH_STATE_DIR")" "" "nothing is left in the state directory"
doctor --set state_dir=/proc/nowhere
like "$(line disk)" "^FAIL disk: " "a state directory that cannot be"

# ---- programs: only those of a directory are found
mkdir bin
for program in sh truncate mkdir unshare true; do
    ln -s "$(command -v "$program")" "bin/$program"
done
printf '#!/bin/sh\necho cannot; exit 3\n' >bin/node
printf '#!/bin/sh\nprintf "git \\033[31mversion\\n2\\n"\n' >bin/git
chmod 755 bin/*
PATH=$TEST_TMP/bin doctor
is "$status" 1 "a host without a runtime fails"
like "$(line runtime)" "^FAIL runtime: .*"$'\n'"     install crun" "it says so"
like "$(line redis)" "^FAIL redis: .* no redis-server" "and no redis-server"
like "$(line npm)" "^warn npm: not installed" "a missing program is a warning"
like "$(line node)" "^warn node: it does not work: .*cannot" \
    "one that fails too"
is "$(line git)" "ok   git: git version" "what one says is made harmless"
like "$(line opencode)" "^ok   opencode: none: no reviews" "without opencode"
mkdir -p "$BERTH_STATE_DIR/tools/opencode-1.2.3"
echo '{"version": "1.2.3", "dialect": "run", "dir": "opencode-1.2.3"}' \
    >"$BERTH_STATE_DIR/tools/opencode.json"
doctor
like "$(line opencode)" "^warn opencode: what was set up is not there" \
    "half an opencode"
cp bin/git "$BERTH_STATE_DIR/tools/opencode-1.2.3/opencode.bin"
doctor
is "$(line opencode)" "ok   opencode: 1.2.3 (run)" "which opencode there is"
rm -r "$BERTH_STATE_DIR/tools"
printf '#!/bin/sh\necho runsc 1\n' >runsc
chmod 755 runsc
doctor --set "worker.runtime=$TEST_TMP/runsc"
is "$(line runtime)" "ok   runtime: runsc 1" "the runtime that is configured"
doctor --set worker.runtime=/nowhere/runsc
like "$(line runtime)" "^FAIL runtime: '/nowhere/runsc' of worker.runtime is not" \
    "no other will do"
BERTH_LIBEXEC=$TEST_TMP doctor
like "$(line programs)" "^FAIL programs: .*run-job" "berth's own programs"

# ---- forms
doctor down --json
is "$status" 1 "the same exit status with --json"
is "$(node -e 'const d = JSON.parse(require("fs").readFileSync(0, "utf8"));
    const c = d.checks[0];
    console.log(d.ok, c.name, c.level, !!c.finding, !!c.advice,
        d.checks.every((c) => ["ok", "warn", "FAIL"].includes(c.level)))' \
    <<<"$out")" "false redis FAIL true true true" "JSON"
doctor --set nonsense=1
like "$status $err" "^1 --set: unknown key 'nonsense'" "bad settings"
doctor --nonsense
is "$status" 2 "wrong usage"
done_testing
