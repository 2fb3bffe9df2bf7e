#!/bin/bash
# tests/integration/sandbox_conformance.sh - one suite over every driver.
# SPDX-License-Identifier: Apache-2.0
# timeout 900
# long 80
#
# The tests of sandboxes (tests/unit/worker/sandbox/oci*_test.c) run by
# themselves with crun, or what is found. Here they run with runc, and with a
# real Docker Engine, which is started for it; with that only the first of them,
# unless ALL_SUITES is set, as `make test-docker` does. DRIVERS= names others.
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/docker.sh
. "$tap_root/tests/lib/docker.sh"
suites=(oci oci_confine oci_limits oci_ops oci_forward oci_network oci_life)
tests=${BERTH_LIBEXEC%/libexec/berth}/tests/unit/worker/sandbox
export CMOCKA_MESSAGE_OUTPUT=STDOUT

# Not in the test's own directory: its mounts are the engine's.
engine=$(mktemp -d /tmp/bd.XXXXXX)
plain=$(mktemp -d /tmp/bd.XXXXXX)
end() {
    docker_down "$plain"
    docker_down "$engine"
    # What ended last may still have a copy of it in its mounts.
    umount -l "$engine" "$plain" 2>/dev/null
    rm -rf --one-file-system "$engine" "$plain"
}
trap end EXIT

# suite NAME PROGRAM: one test; what it skips is told
suite() {
    ok "$1: $2" "$tests/${2}_test"
    grep -B1 '\[  SKIPPED \] test' "$TEST_TMP/.tap" | grep '^# ' | sort | uniq -c |
        while read -r count _ why; do diag "$1: $2: $count skipped: $why"; done
}

conform_oci() {
    local runtime=$1 name
    if ! command -v "$runtime" >/dev/null; then
        skip "oci:$runtime" "no $runtime"
        return
    fi
    for name in "${suites[@]}"; do
        BOX_RUNTIME=$runtime suite "oci:$runtime" "$name"
    done
}

no_container_left() {
    [ "$(docker_api "$engine" GET '/containers/json?all=1')" = '[]' ]
}

# What run-job mounts and writes itself, in a container (tests/e2e/secrets.sh).
secrets_of_steps() {
    mkdir -p "$TEST_TMP/repo"
    git -C "$TEST_TMP/repo" init -q -b main
    git -C "$TEST_TMP/repo" -c user.name=Test -c user.email=test@example.org \
        commit -q --allow-empty -m first
    printf 'a secret of a file\n' >"$TEST_TMP/key"
    cat >"$TEST_TMP/secrets.yml" <<'Y'
sandbox: { image: "docker://berth-test", instance_type: lite }
steps:
  - secrets: [TOKEN, { name: KEY, file: key }]
    run: echo "has ${#TOKEN} $(stat -c '%a %s %u' /run/berth/secrets/key)"
  - run: echo "left ${TOKEN-none} $(ls -A /run/berth/secrets | wc -l)"
Y
    TOKEN=of-a-variable BERTH_STATE_DIR=$TEST_TMP/state "$BERTH_BIN" run \
        --driver docker --repo "$TEST_TMP/repo" --secret TOKEN \
        --secret KEY="$TEST_TMP/key" "$TEST_TMP/secrets.yml" \
        >"$TEST_TMP/secrets.out" 2>&1
    cat "$TEST_TMP/secrets.out"
    grep -q "has 13 400 19 1000" "$TEST_TMP/secrets.out" &&
        grep -q "left none 0" "$TEST_TMP/secrets.out"
}

conform_docker() {
    local why name
    why=$(docker_missing)
    if [ -n "$why" ]; then
        skip docker "$why"
        return
    fi
    # In memory: what the host's disk does with it takes longer than the tests.
    mount -t tmpfs berth-docker "$engine"
    mount -t tmpfs berth-docker "$plain"
    ok "an engine with berth's uids starts" docker_up "$engine"
    ok "an engine without user namespaces starts" docker_up "$plain" none
    ok "an image is imported" docker_import "$engine" berth-test
    export BOX_DRIVER=docker BOX_IMAGE=docker://berth-test
    export BOX_SOCKET=$engine/docker.sock BOX_PLAIN=$plain/docker.sock
    export BERTH_WORKER_DOCKER_SOCKET=$BOX_SOCKET
    export BERTH_WORKER_REGISTRIES=docker.io,127.0.0.1:1
    suite docker docker
    for name in "${suites[@]}"; do
        suite docker "$name"
        [ -n "${ALL_SUITES:-}" ] || break
    done
    ok "docker: secrets of steps" secrets_of_steps
    ok "docker: no container is left" no_container_left
}

for driver in ${DRIVERS:-oci:runc docker}; do
    case $driver in
    oci:*) conform_oci "${driver#oci:}" ;;
    docker) conform_docker ;;
    *) ok "a driver '$driver'" false ;;
    esac
done
done_testing
