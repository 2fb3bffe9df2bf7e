# tests/lib/s3.sh - an S3 server that checks signatures, for bash tests.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Source it behind tap.sh and daemons.sh; then:
#   s3_world              installs s3rver, sets the credentials, starts it
#   s3_start              on $s3_port, always the same; sets s3_pid; with TLS
#                         where s3_tls=(KEY CERT)
#   s3_stop               until s3_start
#   s3_url PREFIX [PARAMETERS]   the address of a prefix of the bucket
#   s3_fault KIND [COUNT [METHOD]]   see tests/s3/server.js; 0: none any more
#   s3_log                what was asked, a line each
#   s3_tries              how many lines were added since it was used last
#   s3_objects [PREFIX]   the keys of the bucket, as the server keeps them

# shellcheck disable=SC2154 # of tap.sh and daemons.sh
s3_port=
s3_pid=
s3_tls=()

s3_world() {
    export S3RVER_NODE=$TEST_TMP/s3-node
    export KEY_ID=berth-tests SECRET='a/secret+of=tests' TOKEN=a-token-of-tests
    mkdir -p "$S3RVER_NODE" "$TEST_TMP/s3-data"
    cp "$tap_root"/tests/s3/package.json "$tap_root"/tests/s3/package-lock.json \
        "$S3RVER_NODE"
    npm ci --prefix "$S3RVER_NODE" --ignore-scripts --no-audit --no-fund \
        --silent --prefer-offline >"$TEST_TMP/s3-npm" 2>&1 || return 1
    export AWS_ACCESS_KEY_ID=$KEY_ID AWS_SECRET_ACCESS_KEY=$SECRET
    export AWS_SESSION_TOKEN=$TOKEN
    unset BERTH_S3_CREDENTIALS BERTH_S3_CA CURL_CA_BUNDLE
    export no_proxy=127.0.0.1,localhost
    s3_port=$(node "$tap_root/tests/lib/free_port.js")
    s3_start
}

s3_start() {
    : >"$TEST_TMP/s3-port"
    node "$tap_root/tests/s3/server.js" "$s3_port" "$TEST_TMP/s3-data" \
        ${s3_tls[@]+"${s3_tls[@]}"} >"$TEST_TMP/s3-port" 2>>"$TEST_TMP/s3-err" &
    s3_pid=$!
    pids+=("$s3_pid")
    wait_for test -s "$TEST_TMP/s3-port"
}

s3_stop() {
    kill "$s3_pid" 2>/dev/null
    wait "$s3_pid" 2>/dev/null
}

s3_url() {
    printf 's3://bucket/%s?endpoint=http://127.0.0.1:%s&timeout=1s%s' \
        "$1" "$s3_port" "${2:-}"
}

s3_fault() {
    curl -sS -o "$TEST_TMP/s3-fault" \
        "http://127.0.0.1:$s3_port/_test/fault?kind=$1&count=${2:-1}&method=${3:-}"
}

s3_log() {
    curl -sS "http://127.0.0.1:$s3_port/_test/log"
}

s3_tries() {
    curl -sS "http://127.0.0.1:$s3_port/_test/tries"
}

s3_objects() {
    local top=$TEST_TMP/s3-data/bucket
    find "$top" -name '*._S3rver_object' -printf '%P\n' |
        sed 's/\._S3rver_object$//' | { grep "^${1:-}" || true; } | sort
}
