#!/bin/bash
# deploy/run-example.sh - take the example project through `berth run`.
# SPDX-License-Identifier: Apache-2.0
#
# usage: deploy/run-example.sh BUILD-DIRECTORY [OPTION…]
#
# Makes a Git repository of tests/example, the same commit every time, in the
# state directory, and runs the library's test pipeline over it. The options
# go to `berth run`; so does its exit status come back.
set -euo pipefail
cd "$(dirname "$0")/.."

build=$1
shift
if [ -n "${BERTH_STATE_DIR:-}" ]; then
    state=$BERTH_STATE_DIR
elif [ "$(id -u)" -eq 0 ]; then
    state=/var/lib/berth
else
    state=${XDG_STATE_HOME:-$HOME/.local/state}/berth
fi
repo=$state/example

make_repository() {
    export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
    export GIT_AUTHOR_NAME='berth' GIT_AUTHOR_EMAIL='berth@example.org'
    export GIT_COMMITTER_NAME='berth' GIT_COMMITTER_EMAIL='berth@example.org'
    export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
    export GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
    rm -rf "$repo"
    mkdir -p "$repo"
    cp -R tests/example/. "$repo"
    rm -rf "$repo/node_modules"
    git -C "$repo" init -q -b main
    git -C "$repo" add -A
    git -C "$repo" commit -q -m 'Keep short notes, and serve them over HTTP'
}

# A umask that hides things from others would hide them from the sandbox.
(
    umask 022
    make_repository
)
echo "+ berth run pipelines/library/test.yml --repo $repo${*:+ $*}"
exec "$build/bin/berth" run pipelines/library/test.yml --repo "$repo" "$@"
