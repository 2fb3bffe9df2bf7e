# tests/fresh/vm/lib.sh - what the tests of the virtual machine share.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck source=../../lib/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../lib/tap.sh"
# shellcheck source=../../lib/job.sh
. "$tap_root/tests/lib/job.sh"

# As in job.sh, without node.
result() {
    python3 -c '
import json, re, sys
doc = json.load(open(sys.argv[1]))
for key in re.findall(r"[^.\[\]]+", sys.argv[2]):
    doc = doc[int(key) if key.isdigit() else key] if doc else None
print("null" if doc is None else doc)' "$TEST_TMP/result.json" "$1" 2>&1 |
        tail -n 1
}

mkdir -p "$repo"
echo hello >"$repo/file.txt"
make_repo "$repo"
pipeline=$TEST_TMP/pipeline.yml
export pipeline
