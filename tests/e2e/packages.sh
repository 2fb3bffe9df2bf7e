#!/bin/bash
# tests/e2e/packages.sh - real npm packages with their own tests get the same
# verdict from berth as from the same commands by hand.
# SPDX-License-Identifier: Apache-2.0
# timeout 400
# long 50
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=../lib/job.sh
. "$tap_root/tests/lib/job.sh"

# Name, and the script of its package.json that runs its tests. The last one's
# test program does not exist any more: it fails everywhere.
packages="json-stable-stringify@1.0.1:test isarray@2.0.5:test wordwrap@1.0.0:test"

by_hand() {
    local status=0
    (
        cd "$1" || exit 99
        npm install --no-audit --no-fund &&
            CI=true npm run "$2"
    ) >"$1.log" 2>&1 </dev/null || status=$?
    [ "$status" -eq 0 ] && echo passed || echo failed
}

for entry in $packages; do
    package=${entry%:*}
    script=${entry#*:}
    repo=$TEST_TMP/$package
    mkdir -p "$repo"
    if ! (cd "$TEST_TMP" && npm pack --silent "$package") >"$TEST_TMP/tgz"; then
        ok "$package comes from the registry" false
        continue
    fi
    tar -xzf "$TEST_TMP/$(tail -n 1 "$TEST_TMP/tgz")" -C "$repo" --strip-components=1
    cp -r "$repo" "$repo.hand"
    make_repo "$repo"
    cat >"$TEST_TMP/package.yml" <<Y
sandbox: { instance_type: standard-4, network: full }
steps:
  - checkout:
  - install: npm
  - { name: tests, run: npm run $script }
Y
    by_hand "$repo.hand" "$script" >"$TEST_TMP/wanted" &
    job "$TEST_TMP/package.yml"
    wait $!
    wanted=$(cat "$TEST_TMP/wanted")
    is "$(result .state)" "$wanted" "$package: $wanted, as by hand"
    is "$(result '.steps[1].outcome')" passed "$package: npm install passed"
    is_valid_result "$package: the result obeys its schema"
    diag "$(tail -n 12 "$TEST_TMP/job.err")"
done
is "$(traces)" "" "nothing is left behind"

done_testing
