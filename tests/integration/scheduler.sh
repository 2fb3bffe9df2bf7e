#!/bin/bash
# tests/integration/scheduler.sh - berth scheduler and berth submit, for real.
# timeout 300
# long 50
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# shellcheck source=../lib/queue.sh
. "$(dirname "$0")/../lib/queue.sh"

sock=$TEST_TMP/s
export BERTH_REDIS=unix://$sock BERTH_STATE_DIR=$TEST_TMP/state
unset BERTH_CONFIG
started=()

cleanup() {
    local pid
    for pid in "${started[@]}"; do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    redis_stop
}
trap cleanup EXIT
redis_start

berth() {
    "$BERTH_BIN" "$@"
}
# scheduler NAME [OPTION…]: sets pid
scheduler() {
    "$BERTH_BIN" scheduler --name "$1" "${@:2}" \
        >>"$TEST_TMP/$1.log" 2>&1 &
    pid=$!
    started+=("$pid")
}
# await WANTED COMMAND…: until it prints that
await() {
    for _ in $(seq 600); do
        [ "$("${@:2}")" = "$1" ] && return 0
        sleep 0.1
    done
    echo "wanted '$1', got '$("${@:2}")' of: ${*:2}"
    return 1
}
put() {
    redis -x LPUSH "${pool}inbox" >"$TEST_TMP/put"
}
state_of() {
    redis HGET "${pool}job:$1" state
}

# ---- the inbox ---------------------------------------------------------------
scheduler s1
first=$pid
put <<<'{id: good, pipeline: {steps: [{run: ls}]}}'
ok "a document becomes a job" await ready state_of good
put <<<'kind: tset'
ok "a wrong one is rejected" await 1 redis ZCARD "${pool}rejected"
rejected=$(redis ZRANGE "${pool}rejected" 0 0)
like "$(redis HGET "${pool}rejected:$rejected" reason)" \
    "^document:1:7: 'tset'.*did you mean 'test'" "with what is wrong, and where"
is "$(redis HGET "${pool}rejected:$rejected" document)" 'kind: tset' \
    "and is kept"
put <<'EOF'
- id: one
  pipeline: {steps: [{run: ls}]}
- id: two
  pipeline: {steps: [{rum: ls}]}
EOF
ok "a list with an error is rejected" await 2 redis ZCARD "${pool}rejected"
is "$(state_of one)" '' "as a whole"
head -c 1048577 /dev/zero | tr '\0' '#' >"$TEST_TMP/large"
put <"$TEST_TMP/large"
ok "1 MiB and a byte is rejected" await 3 redis ZCARD "${pool}rejected"
is "$(redis EXISTS "${pool}inbox" "${pool}inbox:s1")" 0 "nothing is left held"
like "$(cat "$TEST_TMP/s1.log")" "rejected as doc-" "rejections are told"

# ---- duplicates ---------------------------------------------------------------
put <<<'[{id: k1, dedupe: k, pipeline: {steps: [{run: ls}]}}]'
ok "a job with a key" await ready state_of k1
put <<<'[{id: k2, dedupe: k, pipeline: {steps: [{run: ls}]}},
    {id: k3, pipeline: {steps: [{run: ls}]}}]'
ok "a document whose job is not taken says so" await 1 grep -c \
    'berth: a document of the inbox: 1 of 2 jobs not taken; job k1 has the dedupe key of one' \
    "$TEST_TMP/s1.log"
is "$(state_of k2)$(state_of k3)" ready "and the others are"
put <<<'{id: good, pipeline: {steps: [{run: ls}]}}'
ok "one that is there already does" await 1 grep -c \
    'inbox: 1 of 1 jobs not taken; job good is there already' "$TEST_TMP/s1.log"
is "$(grep -c 'not taken' "$TEST_TMP/s1.log")" 2 "once each"

# ---- configuration -----------------------------------------------------------
is "$(redis HGET "${pool}conf" max_instances)" 2 "the pool is configured"
kill -TERM "$first"
wait "$first"
is $? 0 "TERM ends it"
cat >"$TEST_TMP/berth.yml" <<'EOF'
pool: {max_instances: 7}
caps: {"https://git.example.com/acme/app.git": 3}
EOF
scheduler s1 --config "$TEST_TMP/berth.yml"
first=$pid
ok "it reads a file" await 7 redis HGET "${pool}conf" max_instances
is "$(redis HGET "${pool}conf" tcap:git.example.com/acme/app)" 3 \
    "caps are those of tenants"
sed -i 's/7/9/' "$TEST_TMP/berth.yml"
kill -HUP "$first"
ok "and again with HUP" await 9 redis HGET "${pool}conf" max_instances
echo 'pool: {max_instances: none}' >"$TEST_TMP/berth.yml"
kill -HUP "$first"
ok "a wrong one changes nothing" await 1 \
    grep -c 'stays as it was' "$TEST_TMP/s1.log"
is "$(redis HGET "${pool}conf" max_instances)" 9 "and it goes on"

# ---- Redis goes away ---------------------------------------------------------
kill -9 "$redis_pid"
wait "$redis_pid" 2>/dev/null
sleep 12 # what was asked meanwhile is given up after 10 s
redis_start
put <<<'{id: after, pipeline: {steps: [{run: ls}]}}'
ok "Redis comes back, and so does it" await ready state_of after
is "$(grep -c 'Redis is away' "$TEST_TMP/s1.log")" 1 "it said so once"

# ---- Redis forbids something --------------------------------------------------
redis ACL SETUSER default -blmove >/dev/null
put <<<'{id: forbidden, pipeline: {steps: [{run: ls}]}}'
ok "a right that is missing by now is told" await 1 \
    grep -c "Redis refuses: .*NOPERM.* 'blmove' command" "$TEST_TMP/s1.log"
sleep 3
is "$(grep -c 'Redis refuses' "$TEST_TMP/s1.log")" 1 "once"
redis ACL SETUSER default +@all >/dev/null
ok "and it goes on afterwards" await ready state_of forbidden

# ---- from a repository -------------------------------------------------------
git init -q "$TEST_TMP/repo"
mkdir "$TEST_TMP/repo/.berth"
cat >"$TEST_TMP/repo/.berth/ci.yml" <<'EOF'
name: ci
jobs:
  build: {steps: [{run: ls}]}
  test: {needs: build, matrix: {n: [1, 2]}, steps: [{run: ls}]}
  clean: {needs: test, if: always(), steps: [{run: ls}]}
EOF
git -C "$TEST_TMP/repo" add .
git -C "$TEST_TMP/repo" -c user.name=a -c user.email=a@b commit -qm x
chmod -R a+rX "$TEST_TMP" # the mirror is read as another user, if we are root
put <<<"{id: fleet, pipeline: ci, repo: $TEST_TMP/repo, priority: urgent}"
ok "a pipeline of a repository makes a run" await running state_of fleet
ok "whose first job is put in" await ready state_of fleet-1
like "$(redis HGET "${pool}job:fleet-1" payload)" \
    "\"commit\": ?\"$(git -C "$TEST_TMP/repo" rev-parse HEAD)\"" \
    "its commit is pinned"

# work ID STATE [REASON]: take a job, which is that one, and end it
work() {
    local job
    mapfile -t job < <(lease "w-$1")
    [ "${job[0]}" = "$1" ] || {
        echo "took ${job[0]}"
        return 1
    }
    [ "$(complete "$1" "${job[1]}" "w-$1" "$2" "${3:-}" | head -n 1)" = ok ]
}
ok "build passes" work fleet-1 passed
ok "then its siblings are due" await ready state_of fleet-3
ok "one passes" work fleet-2 passed
ok "one fails" work fleet-3 failed step_failed
ok "what says always() comes last" await ready state_of fleet-4
ok "and passes" work fleet-4 passed
ok "the run has failed" await failed state_of fleet
redis HGET "${pool}job:fleet" result >"$TEST_TMP/result.json"
ok "its result obeys the schema" node "$tap_root/tests/schema/validate.js" \
    "$tap_root/schemas/run-result.schema.json" "$TEST_TMP/result.json"
like "$(cat "$TEST_TMP/result.json")" '"message":"1 of 4 jobs have failed' \
    "and says what it was"

# ---- a scheduler dies --------------------------------------------------------
kill -TERM "$first"
wait "$first"
mkdir "$TEST_TMP/slow"
printf '#!/bin/sh\nexec sleep 20\n' >"$TEST_TMP/slow/launch"
chmod +x "$TEST_TMP/slow/launch"
for n in 1 2; do
    BERTH_LIBEXEC=$TEST_TMP/slow scheduler "dying$n"
    put <<<"{id: orphan$n, pipeline: ci, repo: $TEST_TMP/repo}"
    ok "document $n is held" await 1 redis LLEN "${pool}inbox:dying$n"
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
done
scheduler dying1
second=$pid
ok "one of the same name takes it over at once" await running \
    state_of orphan1
scheduler s3
third=$pid
ok "another one a while later" await running state_of orphan2
is "$(redis EXISTS "${pool}inbox" "${pool}inbox:dying1" \
    "${pool}inbox:dying2")" 0 "and no document is left"

# Killed again and again while documents come in: none is lost, none is twice.
kill -TERM "$second" "$third"
wait "$second" "$third"
for round in 1 2 3 4 5; do
    scheduler x
    killed=$pid
    scheduler y
    for _ in $(seq 40); do
        echo "LPUSH ${pool}inbox '{pipeline: {name: bulk, steps: [{run: ls}]}}'"
    done | redis >"$TEST_TMP/put"
    sleep "0.$((round * 2))"
    kill -9 "$killed" "$pid"
    wait "$killed" "$pid" 2>/dev/null
done
scheduler x
scheduler y
third=$pid
ok "in the end no document waits" await 0 \
    redis EXISTS "${pool}inbox" "${pool}inbox:x" "${pool}inbox:y"
is "$(redis --scan --pattern "${pool}job:bulk-*" | sort -u | wc -l)" 200 \
    "and each became one job"

# ---- schedules ---------------------------------------------------------------
cat >"$TEST_TMP/cron.yml" <<'EOF'
schedules:
  - {name: each-minute, cron: '* * * * *',
     job: {pipeline: {steps: [{run: ls}]}}}
EOF
left=$((60 - $(date +%-S)))
[ "$left" -gt 20 ] || sleep $((left + 1)) # no minute may begin meanwhile
due=$(date +%s)
due=$((due - due % 60))000
redis HSET "${pool}crons" each-minute $((due - 1)) >"$TEST_TMP/hset"
scheduler c1 --config "$TEST_TMP/cron.yml"
scheduler c2 --config "$TEST_TMP/cron.yml"
ok "a schedule that is due fires" await ready \
    state_of "cron-each-minute-$((due / 60000))"
is "$(redis HGET "${pool}crons" each-minute)" "$due" "its time is dealt with"
sleep 1
is "$(redis --scan --pattern "${pool}job:cron-*" | wc -l)" 1 \
    "once, whoever else was there"
is "$(redis EXISTS "${pool}inbox")" 0 "and no document came twice"

# ---- berth submit ------------------------------------------------------------
cd "$TEST_TMP/repo" || exit 1
is "$(berth submit --id mine - <<<'pipeline: ci')" mine \
    "submit prints the id"
ok "it is a run, of the repository that one is in" await \
    "$TEST_TMP/repo" sh -c \
    "redis-cli -s '$sock' HGET '${pool}job:mine' payload |
        sed 's/.*\"common\":{\"repo\":\"\([^\"]*\)\".*/\1/'"
berth submit - <<<'pipeline: cj' >"$TEST_TMP/out" 2>&1
is $? 2 "a wrong document is wrong usage"
like "$(cat "$TEST_TMP/out")" "no file .berth/cj.yml" "and it says why"
berth submit --redis unix:///nowhere - <<<'kind: tset' \
    >"$TEST_TMP/out" 2>&1
is $? 2 "it is checked before Redis is looked for"
like "$(cat "$TEST_TMP/out")" "^<stdin>:1:7: 'tset'" "with its place"
is "$(berth submit --json - \
    <<<'{id: mine, pipeline: {steps: [{run: ls}]}}' 2>/dev/null |
    tr -d ' \n')" '{"jobs":[{"id":"mine","result":"exists"}]}' \
    "the same id is the same job"
berth submit --wait - \
    <<<'{id: awaited, priority: urgent, pipeline: {steps: [{run: ls}]}}' \
    >"$TEST_TMP/out" 2>&1 &
waiting=$!
ok "a job that is waited for" await ready state_of awaited
redis DEL "${pool}act:" >"$TEST_TMP/del" # others are in its way
redis ZADD "${pool}act:" 0 0:none >>"$TEST_TMP/del"
ok "fails" work awaited failed step_failed
wait "$waiting"
is $? 1 "and so does the waiting"
like "$(cat "$TEST_TMP/out")" "awaited: failed: step_failed; more: berth status awaited" \
    "saying so, and where more is"

timeout 60 "$BERTH_BIN" submit --wait - >"$TEST_TMP/silent" 2>&1 \
    <<<'{id: silent, pipeline: {steps: [{run: ls}]}}' &
waiting=$!
ok "who waits for long is told why" await 1 grep -c \
    'note: silent is ready: no worker that is alive takes jobs' \
    "$TEST_TMP/silent"
berth cancel silent >"$TEST_TMP/out"
wait "$waiting"
is $? 130 "and for a job that was cancelled exits so"
berth submit - >"$TEST_TMP/out" 2>&1 \
    <<<"{pipeline: ci, repo: 'https://127.0.0.1:1/a/b'}"
is $? 3 "a host that is away is the infrastructure's"
is "$(grep -c refused "$TEST_TMP/out") $(tail -n 1 "$TEST_TMP/out")" \
    "1 berth: nothing was put in: try again later" "told once"

kill -TERM "$third"
wait "$third"
is $? 0 "all is well at the end"
is "$(grep -l Sanitizer "$TEST_TMP"/*.log)" '' "no sanitizer complained"
done_testing
