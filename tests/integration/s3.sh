#!/bin/bash
# tests/integration/s3.sh - the programs of stores against an S3 server.
# SPDX-License-Identifier: Apache-2.0
#
# The server checks each signature (tests/s3/server.js), and breaks as told.
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/daemons.sh
. "$tap_root/tests/lib/daemons.sh"
# shellcheck source=../lib/s3.sh
. "$tap_root/tests/lib/s3.sh"
cd "$TEST_TMP" || exit 1
export BERTH_STATE_DIR=$TEST_TMP/state
mkdir -p "$BERTH_STATE_DIR"

if ! s3_world; then
    sed 's/^/# /' "$TEST_TMP/s3-npm" "$TEST_TMP/s3-err" 2>/dev/null
    echo "Bail out! there is no s3rver"
    exit 1
fi
logs=$BERTH_LIBEXEC/log-store-s3
arts=$BERTH_LIBEXEC/artifact-store
url=$(s3_url a/logs)
away=$(s3_url art)

# run COMMAND…: its status and the last line of its output
run() {
    local status=0
    "$@" >out 2>err 3>got || status=$?
    printf '%s %s\n' "$status" "$(tail -n 1 out)"
}

# ---- logs: there and back ----------------------------------------------------
head -c 3000000 /dev/urandom >whole
cp whole one.log
is "$(run "$logs" put "$url" one.log abcd 1)" "0 " "a log is put"
is "$(s3_objects)" a/logs/ab/abcd-1.log "below the prefix, by its id"
not_ok "and is in the spool no more" test -e one.log
is "$(run "$logs" put "$url" one.log abcd 1)" "0 " "who comes late is content"
like "$(run "$logs" put "$url" none.log abcd 9)" "^3 HEAD .*404" \
    "unless there is none there either"
is "$(run "$logs" get "$url" abcd 1)" "0 " "it is got"
ok "and is the same" cmp got whole
like "$(run "$logs" get "$url" abcd 2)" "^3 GET http://127.*/abcd-2.log: 404 NoSuchKey$" \
    "one that is not there is missed"
: >empty.log
is "$(run "$logs" put "$url" empty.log empty 1)" "0 " "an empty one is put"
is "$(run "$logs" get "$url" empty 1) $(wc -c <got)" "0  0" "and got"
like "$(run "$logs" put s3://x y z 1)" "^3 .*bucket" "an address has to be one"

# ---- what is not given away ----------------------------------------------------
like "$(s3_log | head -n 1)" "^PUT /bucket/a/logs/ab/abcd-1.log 200$" \
    "what was signed was right"
like "$(AWS_SECRET_ACCESS_KEY=wrong run "$logs" get "$url" abcd 1)" \
    "^1 GET [^ ]*: 403 SignatureDoesNotMatch$" "with a wrong secret it is not"
not_ok "and nothing that is secret is repeated" \
    grep -e "$SECRET" -e "$TOKEN" -e wrong out err
like "$(AWS_SESSION_TOKEN=other run "$logs" get "$url" abcd 1)" "403 InvalidToken" \
    "a session has its token"
like "$(AWS_ACCESS_KEY_ID='' run "$logs" get "$url" abcd 1)" \
    "^3 the credentials of S3: there is no AWS_ACCESS_KEY_ID" "keys are needed"
printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n' \
    "$KEY_ID" "$SECRET" "$TOKEN" >keys
chmod 600 keys
is "$(AWS_ACCESS_KEY_ID=x BERTH_S3_CREDENTIALS=$PWD/keys run "$logs" get "$url" abcd 1)" \
    "0 " "a file of them comes first"
chmod 644 keys
like "$(BERTH_S3_CREDENTIALS=$PWD/keys run "$logs" get "$url" abcd 1)" \
    "^3 .*open to others" "and must be nobody else's"

# ---- a server that fails ---------------------------------------------------------
s3_tries >none
for kind in 500 SlowDown cut wrong hang; do
    s3_fault "$kind" 1 GET
    is "$(run "$logs" get "$url" abcd 1) $(s3_tries)" "0  2" \
        "$kind: it is asked again"
done
ok "what came is whole" cmp got whole
s3_fault 503 99 GET
like "$(run "$logs" get "$url" abcd 1) $(s3_tries)" "^1 GET .*: 503 Broken 4$" \
    "four times in all"
is "$(wc -c <got)" 0 "nothing is left of the errors"
s3_fault wrong 99 GET
like "$(run "$logs" get "$url" abcd 1) $(s3_tries)" "^1 GET .* damaged 4$" \
    "what is damaged is not taken"
s3_fault 403 1 GET
like "$(run "$logs" get "$url" abcd 1) $(s3_tries)" "^1 GET .* 403 Broken 1$" \
    "what is forbidden is not asked for again"
cp whole two.log
s3_fault cut 1 PUT
is "$(run "$logs" put "$url" two.log two 1)" "0 " "a put that was cut is made again"
cp whole three.log
s3_fault 500 99 PUT
like "$(run "$logs" put "$url" three.log three 1)" "^1 PUT .*: 500 Broken$" \
    "one that is refused fails"
ok "and the log stays" cmp three.log whole
s3_fault none 0
is "$(run "$logs" put "$url" three.log three 1)" "0 " "until it is taken"

# ---- old logs --------------------------------------------------------------------
echo foreign >"$TEST_TMP/s3-data/foreign"
touch -d '10 days ago' "$TEST_TMP/s3-data/bucket/a/logs/ab/abcd-1.log._S3rver_object"
is "$(run "$logs" expire "$url" 864000000000 0)" "0 " "young logs stay"
is "$(run "$logs" expire "$url" 432000000 0)" "0 removed 1 of them" "an old one goes"
is "$(s3_objects | tr '\n' ' ')" \
    "a/logs/em/empty-1.log a/logs/th/three-1.log a/logs/tw/two-1.log " "and no other"
sleep 0.01
touch -d '1 hour ago' "$TEST_TMP/s3-data/bucket/a/logs/tw/two-1.log._S3rver_object"
is "$(run "$logs" expire "$url" 0 4000000)" "0 removed 1 of them" "of too much the oldest goes"
not_ok "which is that one" grep two <(s3_objects)
is "$(run "$logs" expire "$(s3_url a)" 1 0)" "0 " "what is no log is left alone"
for kind in doctype foreign endless; do
    s3_fault "$kind" 9 GET
    like "$(run "$logs" expire "$url" 1 1)" "^1 the list" "$kind: no such list"
done
s3_fault none 0
is "$(s3_objects | wc -l)" 2 "and nothing was removed by it"

# ---- artifacts ---------------------------------------------------------------------
# leave JOB EPOCH EXPIRES: what a job leaves
leave() {
    local dir=$BERTH_STATE_DIR/artifacts/$1-$2
    mkdir -p "$dir/0/out/ä b" "$dir/3"
    echo "$3" >"$dir/expires"
    echo first >"$dir/0/out/a.txt"
    echo "second of $1" >"$dir/0/out/ä b/c=%+.txt"
    printf third >"$dir/3/out.bin"
    : >"$dir/unsent"
}
later=$(($(date +%s) * 1000 + 3600000))
berth_artifacts() {
    BERTH_ARTIFACTS_STORE=$away "$BERTH_BIN" artifacts "$@"
}
leave job 2 "$later"
is "$(run "$arts" put "$away" job 2)" "0 " "artifacts are put"
not_ok "and are on this host no more" test -e "$BERTH_STATE_DIR/artifacts/job-2"
is "$(s3_objects art | tr '\n' '|')" \
    "art/files/job/2/0/out/=C3=A4=20b/c=3D=25=2B.txt|art/files/job/2/0/out/a.txt|art/files/job/2/3/out.bin|art/index/job/2-$later.json|" \
    "each is an object"
is "$(run "$arts" put "$away" job 2)" "0 " "a second time is fine"
is "$(berth_artifacts --json job)" \
    '[{"path":"out/a.txt","bytes":6},{"path":"out/ä b/c=%+.txt","bytes":14},{"path":"out.bin","bytes":5}]' \
    "berth artifacts lists them from there"
is "$(berth_artifacts job out.bin)" third "and prints one"
ok "and fetches all" berth_artifacts --output fetched job
is "$(cd fetched && find . -type f | sort | tr '\n' '|')" \
    "./out.bin|./out/a.txt|./out/ä b/c=%+.txt|" "to where they were"
is "$(cat 'fetched/out/ä b/c=%+.txt')" "second of job" "as they were"
ok "or one of them" berth_artifacts --output one job out/a.txt
is "$(cat one/out/a.txt)" first "which is that one"
not_ok "of a job that left none there are none" berth_artifacts other
not_ok "nor one of another name" berth_artifacts job nothing
leave job 3 "$later"
echo newer >"$BERTH_STATE_DIR/artifacts/job-3/0/new"
is "$(berth_artifacts job new)" newer \
    "those of a later attempt that are still here come first"
s3_fault 500 99 PUT
like "$(run "$arts" put "$away" job 3)" "^1 PUT .* 500" "what is refused"
ok "stays on this host" test -e "$BERTH_STATE_DIR/artifacts/job-3/0/out/a.txt"
s3_fault none 0
is "$(run "$arts" resend "$away")" "0 " "and is sent later"
is "$(berth_artifacts job out.bin) $(ls "$BERTH_STATE_DIR/artifacts")" "third " \
    "and found"

# ---- a bucket that is not ours alone -------------------------------------------------
index=$TEST_TMP/s3-data/bucket/art/index/job/3-$later.json._S3rver_object
printf tampered >"$TEST_TMP/s3-data/bucket/art/files/job/3/3/out.bin._S3rver_object"
not_ok "a file that was changed is not taken" berth_artifacts job out.bin
cp "$index" kept-index
sed -i 's|"out.bin"|"../out.bin"|' "$index"
rm -f "${index%object}metadata.json"
not_ok "a path that leads out is none" berth_artifacts --output fetched job
not_ok "and nothing is there" test -e out.bin
cp kept-index "$index"

# ---- old artifacts -----------------------------------------------------------------
leave old 1 "$(($(date +%s) * 1000 + 1500))"
is "$(run "$arts" put "$away" old 1)" "0 " "what is to be kept briefly"
expired() {
    "$arts" expire "$away" >out && grep -q 1 out
}
ok "goes when its time is over" wait_for expired
is "$(s3_objects art/.*/old/)" "" "with all of its files"
is "$(s3_objects art/index | wc -l)" 2 "and no others"

# ---- a server with a certificate of its own -----------------------------------------
s3_stop
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 2>none
s3_tls=("$PWD/key.pem" "$PWD/cert.pem")
s3_start
url=${url/http:/https:}
like "$(run "$logs" get "$url" empty 1)" "^1 GET .*certificate" "an unknown one is refused"
is "$(BERTH_S3_CA=$PWD/cert.pem run "$logs" get "$url" empty 1)" "0 " "s3.ca knows it"
is "$(CURL_CA_BUNDLE=$PWD/cert.pem run "$logs" get "$url" empty 1)" "0 " \
    "and so does CURL_CA_BUNDLE"
done_testing
