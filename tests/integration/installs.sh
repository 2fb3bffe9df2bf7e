#!/bin/bash
# tests/integration/installs.sh - what install: npm makes is kept and found.
# timeout 600
# long 60
# SPDX-License-Identifier: Apache-2.0
#
# The package comes from npm's own cache, which a step unpacks: no registry.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/job.sh
. "$(dirname "$0")/../lib/job.sh"

here=$(cd "$(dirname "$0")" && pwd)
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
cd "$TEST_TMP" || exit 1
chmod 711 "$TEST_TMP"
if [ "$(id -u)" != 0 ]; then
    skip "installs are kept" "only root's sandboxes have layers"
    done_testing
    exit
fi

mkdir -p package/lib app
echo '{"name":"left","version":"1.0.0"}' >package/package.json
echo 'module.exports = "left";' >package/index.js
for i in $(seq 200); do echo "$i" >"package/lib/f$i.js"; done
tar czf app/left.tgz package
npm_config_cache=$TEST_TMP/.npm npm cache add ./app/left.tgz >/dev/null
tar czf app/npm.tgz .npm/_cacache
integrity=sha512-$(openssl dgst -sha512 -binary app/left.tgz | base64 -w0)

# package SCRIPTS: the app's package.json
package() {
    printf '{"name":"app","version":"1.0.0","scripts":{%s},
        "dependencies":{"left":"1.0.0"}}\n' "$1" >app/package.json
}
lock() {
    cat >app/package-lock.json <<END
{"name":"app","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{
"":{"name":"app","version":"1.0.0","dependencies":{"left":"1.0.0"}},
"node_modules/left":{"version":"1.0.0","resolved":
"https://registry.npmjs.org/left/-/left-1.0.0.tgz","integrity":"$integrity"}}}
END
}
package '"test":"true"'
lock
make_repo app
repo=$TEST_TMP/app
first=$(git -C app rev-parse HEAD)
commit() {
    git -C app add -A
    git -C app -c user.name=t -c user.email=t@example.org commit -qm "$1"
    git -C app rev-parse HEAD
}

cat >app.yml <<'END'
name: app
env: { KIND: a }
steps:
  - checkout:
  - run: tar xzf npm.tgz -C ~
  - install: npm
  - name: use
    run: |
      node -p 'require("left")'
      test "$(find node_modules/left/lib -type f | wc -l)" = 200
      test -z "$(git status --porcelain | grep -v node_modules)"
      ls -A ~ | tr '\n' ' '
END
sed '/name: use/,$d' app.yml >spoil.yml
cat >>spoil.yml <<'END'
  - run: |
      echo spoilt >node_modules/left/index.js
      rm node_modules/left/lib/f1.js
      rm -rf node_modules
      mkdir node_modules; echo 1 >node_modules/x
END
sed 's/KIND: a/KIND: b/' app.yml >other_env.yml

found() {
    grep -c "node_modules from the cache" job.err
}
ran() {
    grep -cF '$ npm ci' job.err
}
# A plain count of both: "0 1" npm ran, "1 0" it did not.
how() {
    echo "$job_status $(found) $(ran)"
}
entry() {
    find "$BERTH_STATE_DIR/cache/installs" -mindepth 2 -maxdepth 2 | head -1
}
entries() {
    find "$BERTH_STATE_DIR/cache/installs" -mindepth 2 -maxdepth 2 \
        2>/dev/null | wc -l
}

job app.yml --commit "$first"
is "$(how)" "0 0 1" "the first time npm runs"
is "$(entries)" 1 "and what it made is kept"
is "$(stat -c '%a %u' "$(entry)")" "700 0" "sealed: root's alone"
job app.yml --commit "$first"
is "$(how)" "0 1 0" "the second time it does not, and all is there"
like "$(cat job.err)" "200|left" "and can be used"
job spoil.yml --commit "$first"
is "$(how)" "0 1 0" "a job that spoils them, and removes them"
job app.yml --commit "$first"
is "$(how)" "0 1 0" "spoils no one else's"

second=$(touch app/more && commit more)
job app.yml --commit "$second"
is "$(how)" "0 1 0" "another commit with the same lock file finds them"
job other_env.yml --commit "$second"
is "$(how)" "0 0 1" "another environment does not"
package '"test":"false"'
third=$(commit package)
job app.yml --commit "$third"
is "$(how)" "0 0 1" "nor another package.json"
echo 'fund=false' >app/.npmrc
third=$(commit npmrc)
job app.yml --commit "$third"
is "$(how)" "0 0 1" "nor another .npmrc"
sed -i 's/"lockfileVersion":3/"lockfileVersion": 3/' app/package-lock.json
third=$(commit lock)
job app.yml --commit "$third"
is "$(how)" "0 0 1" "nor another lock file"

# ---- scripts ---------------------------------------------------------------
package '"postinstall":"cp more node_modules/left/made"'
fourth=$(commit script)
job app.yml --commit "$fourth"
job app.yml --commit "$fourth"
is "$(how)" "0 1 0" "with scripts of its own, the same commit finds them"
echo changed >app/more
fifth=$(commit 'what the script reads')
job app.yml --commit "$fifth"
is "$(how)" "0 0 1" "and another commit does not"
before=$(entries)
package '"postinstall":"echo x >built"'
sixth=$(commit outside)
sed -i '/git status/d' app.yml
job app.yml --commit "$sixth"
is "$(entries)" "$before" "a script that writes elsewhere: nothing is kept"
like "$(cat job.err)" "not kept for others: 'built' was changed" "and why is told"
package '"postinstall":"echo x >$HOME/.built"'
seventh=$(commit home)
job app.yml --commit "$seventh"
is "$(entries)" "$before" "nor with one that writes to the home directory"
package '"postinstall":"rm left.tgz"'
seventh=$(commit removes)
job app.yml --commit "$seventh"
is "$(entries)" "$before" "nor with one that removes something"
package '"postinstall":"mkfifo node_modules/left/pipe"'
seventh=$(commit fifo)
job app.yml --commit "$seventh"
is "$(entries)" "$before" "nor with one that makes what is no file"

# ---- damage ----------------------------------------------------------------
rm -rf "$BERTH_STATE_DIR/cache/installs"
job app.yml --commit "$first"
e=$(entry)
echo another >"$e/verified"
job app.yml --commit "$first"
is "$(how) $(cat "$e/verified")" \
    "0 1 0 $(cat /proc/sys/kernel/random/boot_id)" \
    "after a boot all of it is read first"
# shellcheck disable=SC2317 # called below
spoil() {
    e=$(entry)
    echo another >"$e/verified"
    "$@"
    job app.yml --commit "$first"
    echo "$(how) $(grep -c 'damaged: not used' job.err) $(entries)"
}
left=root/node_modules/left # in an entry
is "$(spoil sh -c 'echo x >>"$0"' "$e/$left/index.js")" \
    "0 0 1 1 1" "content that changed is a miss, and replaced"
e=$(entry)
is "$(spoil chmod 777 "$e/$left/index.js")" "0 0 1 1 1" \
    "so is a mode"
e=$(entry)
is "$(spoil rm "$e/$left/lib/f7.js")" "0 0 1 1 1" \
    "a file that is gone"
e=$(entry)
is "$(spoil touch "$e/$left/lib/more")" "0 0 1 1 1" \
    "and one too many"
chmod 755 "$(entry)"
job app.yml --commit "$first"
is "$(how)" "0 0 1" "an entry that others can enter is not trusted"
rm -rf "$BERTH_STATE_DIR/cache/installs"

# ---- who may read what -----------------------------------------------------
# told TRUST BRANCH BASE CHANGE: run-job with that job; prints "found ran"
told() {
    node -e '
        const [trust, branch, base, change, repo, commit] =
            process.argv.slice(1);
        console.log(JSON.stringify({ job_id: "told", epoch: 1, repo, commit,
            trust, branch, base, change, ref: branch ? `refs/heads/${branch}` : "",
            pipeline: JSON.parse(require("fs").readFileSync("told.json")) }));
    ' "$1" "$2" "$3" "$4" "$repo" "$first" >start.json
    node "$here/../lib/run_job.js" "$BERTH_LIBEXEC/run-job" start.json >told.out 2>&1
    echo "$? $(grep -c 'from the cache (2' told.out) $(grep -cF '$ npm ci' told.out)"
}
cat >told.json <<'END'
{"name": "told", "steps": [{"checkout": {}},
 {"run": "tar xzf npm.tgz -C ~"}, {"install": "npm"},
 {"run": "node -p 'require(\"left\")'"}]}
END
git -C app branch -f release "$first"
is "$(told fork "" main 7)" "0 0 1" "a fork's change finds nothing"
is "$(told fork "" main 7)" "0 1 0" "but its own"
is "$(told fork "" main 8)" "0 0 1" "which no other fork's finds"
is "$(told member main "" "")" "0 0 1" "nor a branch of members"
is "$(told member "" main 7)" "0 1 0" "a change of members finds the base's"
is "$(told fork "" main 9)" "0 1 0" "and so does a fork's"
is "$(told fork "" release 9)" "0 0 1" "if it is its base"
is "$(told member release "" "")" "0 1 0" \
    "another branch finds the default branch's"

# ---- killed while it is kept -----------------------------------------------
rm -rf "$BERTH_STATE_DIR/cache/installs"
for i in $(seq 4); do
    "$BERTH_BIN" run --repo "$repo" app.yml --commit "$first" >/dev/null 2>&1 &
    pid=$!
    for _ in $(seq 300); do
        pgrep -f "libexec/berth/cache save" >/dev/null && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.02
    done
    pkill -9 -P "$pid" run-job
    wait "$pid" 2>/dev/null
done
wait_for all_ended
job app.yml --commit "$first"
job app.yml --commit "$first"
is "$(how)" "0 1 0" "after kill -9 all is as it was"
"$BERTH_LIBEXEC/run-job" --sweep "$BERTH_STATE_DIR/sandboxes" >/dev/null
is "$(find "$BERTH_STATE_DIR/cache/staging" "$BERTH_STATE_DIR/cache/trash" \
    -mindepth 1 | wc -l)" 0 "and nothing lies about"
is "$(traces | grep -v redis-server)" "" "nor is anything mounted or running"
done_testing
