#!/bin/bash
# tests/integration/far_caches.sh - caches that workers share through S3.
# SPDX-License-Identifier: Apache-2.0
# long 25
#
# Two workers with a state each, and cache-store itself with caches made here.
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/daemons.sh
. "$tap_root/tests/lib/daemons.sh"
# shellcheck source=../lib/s3.sh
. "$tap_root/tests/lib/s3.sh"
# shellcheck source=../lib/job.sh
. "$tap_root/tests/lib/job.sh"
first_dir=root/0 # of an entry of the cache: what it keeps first
cd "$TEST_TMP" || exit 1
chmod 711 "$TEST_TMP"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1

if ! s3_world; then
    sed 's/^/# /' "$TEST_TMP/s3-npm" "$TEST_TMP/s3-err" 2>/dev/null
    echo "Bail out! there is no s3rver"
    exit 1
fi

# ---- two workers, of a pool each -----------------------------------------------
(umask 077 && echo "the key of all workers" >key && echo "quite another key" >other-key)
# An install without a registry, as in installs.sh.
mkdir app package
echo '{"name":"left","version":"1.0.0"}' >package/package.json
echo 'module.exports = "left of here";' >package/index.js
tar czf app/left.tgz package
npm_config_cache=$TEST_TMP/.npm npm cache add ./app/left.tgz >added
tar czf app/npm.tgz .npm/_cacache
integrity=sha512-$(openssl dgst -sha512 -binary app/left.tgz | base64 -w0)
echo '{"name":"app","version":"1.0.0","dependencies":{"left":"1.0.0"}}' >app/package.json
cat >app/package-lock.json <<J
{"name":"app","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{
"":{"name":"app","version":"1.0.0","dependencies":{"left":"1.0.0"}},
"node_modules/left":{"version":"1.0.0","resolved":
"https://registry.npmjs.org/left/-/left-1.0.0.tgz","integrity":"$integrity"}}}
J
make_repo app
commit=$(git -C app rev-parse HEAD)
redis-server --port 0 --unixsocket "$TEST_TMP/s" --dir "$TEST_TMP" --save '' \
    --daemonize no >redis.log 2>&1 &
pids+=($!)
wait_for redis-cli -s "$TEST_TMP/s" ping
for name in a b; do
    cat >"$name.yml" <<Y
state_dir: $TEST_TMP/$name
pool: { name: $name }
redis: { url: "unix://$TEST_TMP/s" }
cache: { store: "$(s3_url shared)", store_key: $TEST_TMP/key }
worker: { name: $name, capacity: 1, min_disk: 1KiB, min_memory: 1KiB }
Y
    BERTH_CONFIG=$name.yml BERTH_STATE_DIR='' "$BERTH_BIN" worker \
        >"$name.log" 2>&1 &
    pids+=($!)
done

# berth_of POOL COMMAND…
berth_of() {
    BERTH_CONFIG=$1.yml BERTH_STATE_DIR='' "$BERTH_BIN" "${@:2}"
}
# submit POOL ID STEP COMMANDS: a job; its status when it ended
submit() {
    berth_of "$1" submit --wait - >"$2.submit" 2>&1 <<Y
id: $2
repo: $TEST_TMP/app
commit: $commit
branch: main
pipeline:
  name: caches
  sandbox: { instance_type: lite }
  steps:
    - checkout: {}
    - run: tar xzf npm.tgz -C ~
    - $3
    - run: |
        $4
Y
}
# says POOL ID CACHE COMMANDS: what a job's log says of its caches
says() {
    submit "$1" "$2" "cache: $3" "$4" || printf 'failed: '
    berth_of "$1" logs "$2" |
        sed -n 's/^.*cache: \(.*\)/\1/p' | sed -E 's/, [0-9.]+[KMG]?i?B, /, /' |
        tr '\n' ';'
}
kept='{ key: k, paths: [out] }'
is "$(says a first "$kept" 'mkdir out; echo 1 >out/f; ln -s f out/l')" \
    "miss 'k';saved 'k', 3 files;" "what no worker has is a miss, and saved"

submit a install "install: npm" "node -p 'require(\"left\")'" &
installing=$!
pids+=("$installing")

# ---- cache-store by itself, while the worker comes to it -------------------------
far=$BERTH_LIBEXEC/cache-store
url=$(s3_url alone)
tree=$TEST_TMP/s3-data/bucket/alone

# entry DIR SCOPE KEY: an entry of a cache in DIR, with KEY in its file
entry() {
    local path=$1/caches/$2/$3 line
    mkdir -p "$path/$first_dir" && chmod 711 "$1"
    echo "content of $3" >"$path/$first_dir/file"
    line=$("$BERTH_LIBEXEC/cache" verify 1000000 3<"$path/root")
    printf '{"format":1,"key":"%s",%s' "$3" "${line#?}" >"$path/meta"
    chmod 700 "$path"
}
# run DIR COMMAND…: cache-store on that cache; its status and last line
run() {
    local status=0
    BERTH_CACHE_DIR=$TEST_TMP/$1 "$far" "${@:2}" >out 2>err || status=$?
    printf '%s %s\n' "$status" "$(tail -n 1 out)"
}
get() {
    local dir=$1
    shift
    run "$dir" get "$url" "$TEST_TMP/key" caches "$@"
}
push() {
    run "$1" push "$url" "$TEST_TMP/${2:-key}"
}
no_objects() {
    rm -rf "${tree:?}"
}
# asked WHAT: how many requests have that; the workers have theirs meanwhile
asked() {
    s3_log | grep -c "$1"
}
yes='0 {"found":true,"notes":["brought it from the store"]}'
none='0 {"found":false,"notes":[]}'

entry one branch-1 k1
entry one fork-1 k1
entry one branch-1 k1-b
mkdir -p one/trees/t/never && echo '{}' >one/trees/t/never/meta
is "$(push one)" "0 put 3 into the store, removed 0 that were too old" \
    "caches are put into the store"
is "$(s3_objects alone | tr '\n' ' ')" \
    "alone/caches/branch-1/k1 alone/caches/branch-1/k1-b alone/caches/fork-1/k1 " \
    "by kind, scope and key, but no trees"
before=$(asked alone)
is "$(push one) $(($(asked alone) - before))" "0  0" "what is there is not put again"
is "$(get two branch-1/k1)" "$yes" "another host's cache gets it"
is "$(cat two/caches/branch-1/k1/"$first_dir"/file)" "content of k1" "with its content"
is "$(stat -c '%a %u' two/caches/branch-1/k1)" "700 $(id -u)" "sealed, as ours"
is "$(cmp one/caches/branch-1/k1/"$first_dir"/file two/caches/branch-1/k1/"$first_dir"/file;
    stat -c %y {one,two}/caches/branch-1/k1/"$first_dir"/file | sort -u | wc -l)" 1 \
    "and its times"
is "$(ls two/staging)" "" "nothing is left of the way"
before=$(asked 'PUT.*alone')
is "$(push two) $(($(asked 'PUT.*alone') - before))" "0  0" \
    "what came from there is not put again"
is "$(get two branch-1/k2 branch-2/k1)" "$none" "what is not there is a miss"
is "$(get three fork-2/none -- fork-1/k)" "$yes" "what begins so is found"
is "$(get four branch-1/x -- branch-1/k1-)" "$yes" "the longer one, too"
is "$(ls four/caches/branch-1)" k1-b "which is that one"
like "$(get four ../../x branch-1/../k1 -- ../)" "^0 .*false" "no other name is one"

# ---- a bucket that lies ----------------------------------------------------------
swap() { # swap FROM TO: the store has FROM's object for TO
    local part
    for part in object metadata.json object.md5; do
        [ ! -e "$tree/caches/$1._S3rver_$part" ] ||
            cp "$tree/caches/$1._S3rver_$part" "$tree/caches/$2._S3rver_$part"
    done
}
lie='{"found":false,"notes":["the store'"'"'s '
swap fork-1/k1 branch-1/k1
is "$(get five branch-1/k1)" "0 ${lie}'k1' is not used: it has a wrong signature\"]}" \
    "a fork's entry is no branch's"
is "$(find five/caches five/staging -mindepth 1 2>/dev/null)" "" "and nothing is unpacked"
swap branch-1/k1-b branch-1/k1
like "$(get five branch-1/k1)" "wrong signature" "nor is another key's"
no_objects
entry six branch-1 k1
is "$(push six other-key)" "0 put 1 into the store, removed 0 that were too old" \
    "whoever has another key"
is "$(get five branch-1/k1)" "0 ${lie}'k1' is not used: it has a wrong signature\"]}" \
    "signs nothing for us"
entry seven branch-1 k1
is "$(push seven)" "0 put 1 into the store, removed 0 that were too old" \
    "who saves it anew puts it in its place"
is "$(get five branch-1/k1)" "$yes" "then it is good"
BERTH_CACHE_DIR=$TEST_TMP/away "$far" get \
    's3://bucket/a?endpoint=http://127.0.0.1:1&timeout=1s' "$TEST_TMP/key" \
    caches branch-1/k1 >away.out 2>&1 &
away=$!
s3_fault wrong 9 GET
like "$(get eight branch-1/k1)" "^0 .*'k1' is not used: the worker's own log says why" \
    "a byte that is another is a miss"
like "$(cat err)" "damaged" "of which the worker's log has more"
s3_fault none 0
entry nine branch-1 k9
echo other >nine/caches/branch-1/"k9/$first_dir/file"
is "$(push nine)" "0 " "what is damaged here is not put"
chmod 644 other-key
like "$(push nine other-key)" "^1 .*is open to others" "a key is nobody else's"

# ---- too large, too old, away ------------------------------------------------------
export BERTH_CACHE_ENTRY_BYTES=100B
like "$(get eight branch-1/k1)" "k1' is not used: it is too large" "an entry has a limit"
entry ten branch-1 k10
is "$(push ten)" "0 " "also on its way there"
unset BERTH_CACHE_ENTRY_BYTES
echo foreign >"$TEST_TMP/foreign"
touch -d '10 days ago' "$tree/caches/branch-1/k1._S3rver_object"
rm -f five/store-expired
is "$(push five)" "0 put 0 into the store, removed 1 that were too old" \
    "what is older than cache.keep is removed"
like "$(get eleven branch-1/k1)" "false" "and not found"
s3_fault 500 99 HEAD
like "$(get eleven branch-1/k1)" "^1 .*500" "a store that fails is no miss"
s3_fault none 0
not_ok "nor is one that is away" wait "$away"
like "$(cat away.out)" "^HEAD http://127.0.0.1:1/" "which is said"

# ---- the workers ---------------------------------------------------------------------
shared() {
    s3_objects shared/caches | grep -q .
}
installed() {
    s3_objects shared/installs | grep -q .
}
ok "a worker puts what its jobs saved into the store by itself" wait_for shared
is "$(says b second "$kept" 'cat out/f; test "$(readlink out/l)" = f')" \
    "brought it from the store;hit 'k' from branch main, 3 files;" \
    "a job of another worker gets it from there"
is "$(says b third "$kept" 'cat out/f')" "hit 'k' from branch main, 3 files;" \
    "and the next has it here"
if [ "$(id -u)" = 0 ]; then
    ok "an install passes" wait "$installing"
    ok "and is put there, too" wait_for installed
    submit b install-b "install: npm" "node -p 'require(\"left\")'; echo x >node_modules/x"
    is "$? $(berth_of b logs install-b | grep -c -e 'brought it from the store' \
        -e 'node_modules from the cache (. files)' -e 'left of here')" "0 3" \
        "and used by the other worker's job, whose user may write there"
else
    skip "installs are shared" "only root's sandboxes have layers"
fi
rm -rf "${TEST_TMP:?}/b/cache/caches"
is "$(says b fourth '{ key: k2, paths: [out], restore_keys: [k] }' 'cat out/f; exit 1')" \
    "failed: brought it from the store;no 'k2'; restored 'k' from branch main, 3 files;" \
    "restore_keys find what is there, too"
s3_fault hang 99 HEAD
begun=$SECONDS
is "$(says b fifth '{ key: n, paths: [out] }' true)" \
    "the store of caches does not answer: a miss;miss 'n';there is no 'out' to save;" \
    "a store that hangs is a miss, which the log tells"
ok "after some seconds" test $((SECONDS - begun)) -le 20
before=$(asked HEAD)
is "$(says b sixth '{ key: n, paths: [out] }' true) $(($(asked HEAD) - before))" \
    "the store of caches does not answer: a miss;miss 'n';there is no 'out' to save; 0" \
    "and is left alone for a while"
like "$(cat b.log)" "the store of caches is left alone for 15 s: cache-store" \
    "the worker's log says why"
not_ok "which has nothing that is secret" grep -h -e "$SECRET" -e "the key of" ./*.log
done_testing
