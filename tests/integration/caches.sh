#!/bin/bash
# tests/integration/caches.sh - what cache: steps keep, and who finds it.
# timeout 300
# SPDX-License-Identifier: Apache-2.0
#
# run-job itself is told the jobs, with the trust that each assertion is about.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/job.sh
. "$(dirname "$0")/../lib/job.sh"
first_dir=root/0 # of an entry of the cache: what it keeps first

here=$(cd "$(dirname "$0")" && pwd)
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
cd "$TEST_TMP" || exit 1
chmod 711 "$TEST_TMP"
mkdir -p app/sub other
echo one >app/lock
echo deep >app/sub/lock
make_repo app
cp -R app/.git app/lock app/sub other/
git -C app branch release
commit=$(git -C app rev-parse HEAD)
caches=$BERTH_STATE_DIR/cache/caches
export BERTH_CACHE_DIR=$BERTH_STATE_DIR/cache
mkdir -p "$BERTH_STATE_DIR"
chmod 711 "$BERTH_STATE_DIR"

# told NAME CACHE SCRIPT [TRUST [BRANCH [BASE [CHANGE [REPO]]]]]: a job that does
# what is in $steps, uses CACHE, then runs SCRIPT; its log is NAME.out
told() {
    local repo=${8:-app}
    STEPS=${steps:-[]} node -e '
        const [runner, program, file, name, cache, script, trust, branch, base,
            change, repo, commit] = process.argv.slice(1);
        require("fs").writeFileSync(file, JSON.stringify({
            job_id: name, epoch: 1, repo, commit, trust, branch, base, change,
            ref: branch ? `refs/heads/${branch}` : "",
            pipeline: { name, steps: [{ checkout: {} },
                ...JSON.parse(process.env.STEPS),
                { name: "kept", cache: JSON.parse(cache) }, { run: script }] } }));
        process.argv = ["node", runner, program, file];
        require(runner);
    ' "$here/../lib/run_job.js" "$BERTH_LIBEXEC/run-job" "$TEST_TMP/$1.json" \
        "$1" "$2" "$3" "${4:-member}" "${5-main}" "${6:-}" "${7:-}" \
        "$TEST_TMP/$repo" "$commit" >"$1.out" 2>&1
}
# says NAME: the lines of the cache, without the digests of keys
says() {
    sed -n 's/^• cache: //p' "$1.out" |
        sed -E 's/-[0-9a-f]{40}/-HASH/g; s/, [0-9.]+[KMG]?i?B, /, /' |
        tr '\n' ';'
}
# made NAME CACHE SCRIPT…: the same, and what it said
made() {
    told "$@" || printf "failed: "
    says "$1"
}
entries() {
    find "$caches" -mindepth 2 -maxdepth 2 2>/dev/null | wc -l
}
entry() {
    find "$caches" -mindepth 2 -maxdepth 2 -name "${1:-*}" | sort | head -n 1
}
no_entries() {
    rm -rf "${caches:?}"
}

fill='mkdir -p out/deep ~/.tool; echo 1 >out/deep/f; ln -s /etc/passwd out/l
    printf "#!/bin/sh\n" >out/x; chmod 755 out/x; echo 2 >~/.tool/h
    mkdir out/empty; chmod 750 out/deep; touch -d 2020-01-02T03:04:05Z out/deep/f'
look='test "$(cat out/deep/f ~/.tool/h | tr -d "\n")" = 12
    test "$(readlink out/l)" = /etc/passwd; test -x out/x; test -d out/empty
    stat -c "%a %Y" out/deep out/deep/f; id -un; stat -c %U out/x'
both='{"key": "k", "paths": ["out", "~/.tool"]}'

# ---- it is kept, and found --------------------------------------------------
is "$(made first "$both" "$fill")" \
    "miss 'k';saved 'k', 8 files;" "what nobody kept is a miss, and saved"
is "$(entries) $(stat -c '%a %u' "$(entry)")" "1 700 $(id -u)" \
    "sealed: one entry, ours alone"
is "$(find "$(entry)/root" ! -uid "$(id -u)" | wc -l)" 0 "and so is all in it"
is "$(made second "$both" "$look")" "hit 'k' from branch main, 8 files;" \
    "the next job finds it"
like "$(tr '\n' ' ' <second.out)" \
    "750 [0-9]+ 644 1577934245 berth berth" \
    "with modes, times, links, as the job's user"
is "$(entries)" 1 "a hit is not saved again"
is "$(made third "$both" 'echo 3 >out/deep/f; rm -rf ~/.tool')" \
    "hit 'k' from branch main, 8 files;" "a job that spoils what it got"
is "$(made fourth "$both" "$look")" "hit 'k' from branch main, 8 files;" \
    "spoils no one else's"
is "$(made fails '{"key": "f", "paths": "out"}' 'mkdir out; exit 1')" \
    "failed: miss 'f';" "a job that fails saves nothing"
is "$(made otherpaths '{"key": "k", "paths": "out"}' true)" \
    "miss 'k';there is no 'out' to save;" \
    "other paths are another cache, and what is not there is told"
is "$(made half '{"key": "h", "paths": ["none", "out"]}' 'mkdir out; : >out/a')" \
    "miss 'h';there is no 'none' to save;saved 'h', 2 files;" "or left out"
is "$(made half2 '{"key": "h", "paths": ["none", "out"]}' \
    'test -f out/a && test ! -e none')" "hit 'h' from branch main, 2 files;" \
    "then only the others come back"
is "$(made nested '{"key": "n", "paths": "a/b c/d"}' 'mkdir -p "a/b c/d"; : >"a/b c/d/e"')" \
    "miss 'n';saved 'n', 2 files;" "a path with a space, beneath others"
is "$(made nested2 '{"key": "n", "paths": "a/b c/d"}' 'test -f "a/b c/d/e"')" \
    "hit 'n' from branch main, 2 files;" "is made where it is missing"

# ---- keys -------------------------------------------------------------------
files='{"key": "l", "files": ["lock", "**/lock"], "paths": "out", "restore_keys": ["zz", "l-"]}'
no_entries
is "$(made files1 "$files" 'mkdir out; echo first >out/a')" \
    "miss 'l-HASH';saved 'l-HASH', 2 files;" "a digest of files is in the key"
is "$(made files2 "$files" 'grep first out/a')" \
    "hit 'l-HASH' from branch main, 2 files;" "the same files, the same key"
steps='[{"run": "echo two >sub/lock"}]'
is "$(made files3 "$files" 'grep first out/a; echo second >out/a')" \
    "no 'l-HASH'; restored 'l-HASH' from branch main, 2 files;saved 'l-HASH', 2 files;" \
    "another content: what a restore_key begins, and it is saved anew"
steps='[{"run": "echo three >lock"}]'
is "$(made files4 "$files" 'grep second out/a; exit 1')" \
    "failed: no 'l-HASH'; restored 'l-HASH' from branch main, 2 files;" \
    "of several the newest, not the one used last"
like "$(cat files4.out)" "second" "which is the second"
steps=
is "$(made nofile '{"key": "q", "files": "nothing/*", "paths": "out"}' true)" \
    "no file fits 'nothing/*';miss 'q-HASH';there is no 'out' to save;" \
    "files that fit nothing are told"
odd='{"key": "../../a/b _%é", "paths": "out"}'
is "$(made odd "$odd" 'mkdir out')" "miss '../../a/b _%é';saved '../../a/b _%é', 1 files;" \
    "a key may have any characters"
is "$(made odd2 "$odd" 'test -d out')" "hit '../../a/b _%é' from branch main, 1 files;" \
    "and is found"
is "$(find "$caches" -mindepth 3 -maxdepth 3 -path '*a_2F*/meta' | wc -l)" 1 "below its scope"
env='{"key": "${{ inputs.no }}", "paths": "out"}'
is "$(made empty "$env" true)" "failed: " "an empty key is an error"
like "$(cat empty.out)" "the key cannot be used: it is empty" "that says so"

# ---- who may read what -------------------------------------------------------
no_entries
s='{"key": "s", "paths": "out"}'
put='mkdir -p out; : >out/$(date +%N)'
is "$(made fork7 "$s" "$put" fork "" main 7)" "miss 's';saved 's', 2 files;" \
    "a fork's change saves for itself"
is "$(made fork7b "$s" "$put" fork "" main 7)" "hit 's' from fork 7, 2 files;" \
    "and finds its own"
is "$(made fork8 "$s" "exit 1" fork "" main 8)" "failed: miss 's';" \
    "no other fork's finds it"
is "$(made member7 "$s" "exit 1" member "" main 7)" "failed: miss 's';" \
    "nor members, with a change of that number"
is "$(made member "$s" "$put")" "miss 's';saved 's', 2 files;" "nor the branch"
is "$(made member7c "$s" "$put" member "" main 7)" "hit 's' from branch main, 2 files;" \
    "a change finds its base's"
is "$(made fork9 "$s" "$put" fork "" main 9)" "hit 's' from branch main, 2 files;" \
    "a fork's, too"
is "$(made fork7c "$s" "$put" fork "" main 7)" "hit 's' from fork 7, 2 files;" \
    "its own before that"
is "$(made wrongbase "$s" "exit 1" fork "" release 9)" "failed: miss 's';" \
    "of another base it does not"
is "$(made elsewhere "$s" "$put" member main "" "" other)" "miss 's';saved 's', 2 files;" \
    "nor has another repository it"
n=$(entries)
is "$(made fork10 '{"key": "new", "paths": "out", "restore_keys": "s"}' "$put" \
    fork "" main 10)" \
    "no 'new'; restored 's' from branch main, 2 files;saved 'new', 3 files;" \
    "a fork that begins with members' writes"
is "$(made asmain '{"key": "new", "paths": "out"}' "exit 1")$(($(entries) - n))" \
    "failed: miss 'new';1" "its own scope only"

# ---- damage ------------------------------------------------------------------
no_entries
told d1 "$both" "$fill"
# After a boot all is read first.
boot() {
    echo another >"$1/verified"
}
e=$(entry)
boot "$e"
is "$(made d2 "$both" "$look") $(cat "$e/verified")" \
    "hit 'k' from branch main, 8 files; $(cat /proc/sys/kernel/random/boot_id)" \
    "after a boot all of it is read first"
# spoilt NAME COMMAND…: with the entry behind it
spoilt() {
    local name=$1 at
    shift
    at=$(entry)
    [ -d "$at/root" ] || return 1
    boot "$at"
    "$@" "$at/root"
    made "$name" "$both" "$fill"
}
flip() {
    printf 2 | dd of="$1/0/deep/f" bs=1 conv=notrunc status=none
}
mode() {
    chmod 700 "$1/0/x"
}
more() {
    : >"$1/1/more"
}
less() {
    rm "$1/0/l"
}
none() {
    mv "$1" "$1.away"
}
hollow() {
    : >"$1/../meta"
}
damaged="'k' is damaged: not used;miss 'k';saved 'k', 8 files;"
is "$(spoilt e1 flip)" "$damaged" "a byte that changed is a miss, and replaced"
is "$(spoilt e2 mode)" "$damaged" "so is a mode"
is "$(spoilt e3 more)" "$damaged" "a file too many"
is "$(spoilt e4 less)" "$damaged" "one that is gone"
is "$(spoilt e5 none)" "$damaged" "nothing at all"
is "$(spoilt e6 hollow)" "miss 'k';saved 'k', 8 files;" "an entry without a meta"
chmod 755 "$(entry)"
is "$(made e7 "$both" "$fill")" "miss 'k';'k' is there already;" \
    "one that others can enter is not trusted"
no_entries
told e8 "$both" "$fill"
mkdir bin
for program in agent launch checkout; do
    ln -s "$BERTH_LIBEXEC/$program" "bin/$program"
done
printf '#!/bin/sh\nexec sleep 1000\n' >bin/cache
chmod 755 bin/cache
boot "$(entry)"
ln -s "$BERTH_LIBEXEC/run-job" bin/run-job
cp -a "$BERTH_CACHE_DIR" slow_cache # others go on with theirs
BERTH_LIBEXEC=$TEST_TMP/bin BERTH_CACHE_DIR=$TEST_TMP/slow_cache \
    made slow "$both" true >slow.says &
slow=$!

# ---- hostile content ---------------------------------------------------------
# sealed NAME CACHE SCRIPT COMMAND…: an entry with that key, changed by COMMAND
# and sealed again, as if its writer had made it so
sealed() {
    local name=$1 cache=$2 script=$3 at digest
    shift 3
    told "$name-w" "$cache" "mkdir -p out; : >out/own"
    at=$(entry "*-$name")
    [ -d "$at/$first_dir" ] || return 1
    "$@" "$at/root"
    digest=$("$BERTH_LIBEXEC/cache" verify 99999999 3<"$at/root" |
        sed -n 's/.*"digest": *"\([0-9a-f]*\)".*/\1/p')
    sed -i -E "s/\"digest\":\"[0-9a-f]+\"/\"digest\":\"$digest\"/" "$at/meta"
    boot "$at"
    made "$name" "$cache" "$script"
}
mkdir -m 755 secret
echo hidden >secret/own
link_out() {
    rm -rf "${1:?}/0" && ln -s "$TEST_TMP/secret" "$1/0"
}
is "$(sealed h1 '{"key": "h1", "paths": "out"}' 'test ! -e out/own' link_out)" \
    "hit 'h1' from branch main, 2 files;" \
    "a link in place of a directory brings nothing of the host"
through() {
    ln -s /home/berth "$1/0/b" && mkdir "$1/1" && : >"$1/1/pwned"
}
is "$(sealed h2 '{"key": "h2", "paths": ["out", "out/b"]}' \
    'test ! -e ~/pwned && test ! -e out/own' through | sed 's/: cannot[^;]*leads out[^;]*/: …/')" \
    "'h2' cannot be put back: …;miss 'h2';'h2' is there already;" \
    "nothing is written through a link, and what was put back goes"
setuid() {
    cp /bin/true "$1/0/su" && chmod 6755 "$1/0/su"
}
is "$(sealed h3 '{"key": "h3", "paths": "out"}' 'stat -c %a out/su' setuid)" \
    "hit 'h3' from branch main, 2 files;" "a setuid bit"
like "$(cat h3.out)" $'\n755\n' "is none any more"
pipe() {
    mkfifo "$1/0/pipe"
}
is "$(sealed h4 '{"key": "h4", "paths": "out"}' 'mkdir -p out; : >out/a' pipe)" \
    "'h4' is damaged: not used;miss 'h4';saved 'h4', 2 files;" \
    "what is no file is damage"

# ---- what a job may name -----------------------------------------------------
for path in /etc ../x out/../..; do
    told refused "{\"key\": \"k\", \"paths\": \"$path\"}" true
    like "$(cat refused.out)" "no path of a directory to keep" "'$path' is refused"
done
is "$(made leads '{"key": "leads", "paths": "out"}' 'ln -s /etc out' |
    sed 's/: cannot.*leads out.*/: …/')" "miss 'leads';'leads' is not saved: …" \
    "a link out of the workspace is not followed to save"
told into '{"key": "into", "paths": "out"}' 'mkdir out; : >out/passwd'
steps='[{"run": "mkdir -p ~/x; ln -s ~/x out"}]'
is "$(made into2 '{"key": "into", "paths": "out"}' 'test ! -e ~/x/passwd' |
    sed 's/: cannot.*leads out.*/: …/')" "'into' cannot be put back: …" \
    "nor to put back"
steps=
is "$(made special '{"key": "sp", "paths": "out"}' 'mkdir out; mkfifo out/p; : >out/f')" \
    "miss 'sp';saved 'sp', 2 files;" "what is no file is left out"
is "$(made file '{"key": "file", "paths": "out"}' ': >out' | sed 's/: cannot.*/: …/')" \
    "miss 'file';'file' is not saved: …" "a file is no directory"

# ---- sizes and ages ----------------------------------------------------------
no_entries
some='mkdir -p out; yes | head -c 100000 >out/f'
is "$(BERTH_CACHE_ENTRY_BYTES=64KiB made big '{"key": "big", "paths": "out"}' "$some")" \
    "miss 'big';'big' is not saved: it has more than 64KiB (cache.entry_bytes);" \
    "more than cache.entry_bytes is not saved"
is "$(entries)" 0 "nor any of it"
is "$(BERTH_CACHE_BYTES=0B made off '{"key": "off", "paths": "out"}' "$some")" \
    "not used: this worker has none;" "without a cache the job runs all the same"
for key in a b c; do
    BERTH_CACHE_BYTES=300KiB told "size$key" "{\"key\": \"size$key\", \"paths\": \"out\"}" \
        "$some"
done
is "$(entry '*sizea' | wc -l) $(entries)" "0 2" \
    "beyond cache.bytes what was used longest ago goes"
touch -d '2 days ago' "$(entry '*sizeb')"
BERTH_CACHE_KEEP=1d told sized '{"key": "sized", "paths": "out"}' "$some"
is "$(entry '*sizeb' | wc -l) $(entries)" "0 2" \
    "and what nobody used for cache.keep"

# ---- at once -----------------------------------------------------------------
no_entries
pids=()
for i in 1 2 3 4; do
    made "at$i" '{"key": "at", "paths": "out"}' 'mkdir -p out; echo x >out/f' >"at$i.says" &
    pids+=($!)
done
wait "${pids[@]}"
is "$(cat at?.says | tr ';' '\n' | sed "s/, .*//" | grep -vc "^miss 'at'$\|^saved 'at'$\|^'at' is there already$\|^hit 'at' from branch main$\|^$")" \
    0 "several with one key do not disturb each other"
is "$(entries)" 1 "and one of them is kept"
wait "$slow"
is "$(cat slow.says)" "it is too slow: not used;miss 'k';'k' is there already;" \
    "a cache that is too slow is none"

# ---- killed ------------------------------------------------------------------
no_entries
"$BERTH_LIBEXEC/run-job" --sweep "$BERTH_STATE_DIR/sandboxes" >sweep.out
few='mkdir -p out; for i in $(seq 500); do echo "$i" >"out/$i"; done'
many="$few; truncate -s 1900M out/sparse" # long enough to be met
# job_of PID: the run-job that a shell's node has started
job_of() {
    local node
    for node in $(pgrep -P "$1" node); do
        pgrep -P "$node" run-job
    done
}
staged() {
    find "$BERTH_STATE_DIR/cache/staging" -path "*/$first_dir" 2>/dev/null | wc -l
}
for i in 1 2 3 4; do
    told "killed$i" '{"key": "kill", "paths": "out"}' "$many" &
    pid=$!
    victim=
    while kill -0 "$pid" 2>/dev/null && [ "$(staged)" -lt "$i" ]; do
        [ -n "$victim" ] || victim=$(job_of "$pid")
    done
    sleep "0.0$i"
    [ -z "$victim" ] || kill -9 "$victim"
    wait "$pid"
done
is "$(find "$BERTH_STATE_DIR/cache/staging" -mindepth 1 -maxdepth 1 | wc -l) $(entries)" \
    "4 0" "kill -9 while it is saved leaves no entry"
"$BERTH_LIBEXEC/run-job" --sweep "$BERTH_STATE_DIR/sandboxes" >sweep.out
is "$(find "$BERTH_STATE_DIR/cache/staging" "$BERTH_STATE_DIR/cache/trash" \
    -mindepth 1 | wc -l)" 0 "and what lies about goes"
told cancelled '{"key": "kill", "paths": "out"}' "$many" &
pid=$!
while kill -0 "$pid" 2>/dev/null && [ "$(staged)" -lt 1 ]; do
    sleep 0.01
done
for node in $(pgrep -P "$pid" node); do
    kill -HUP "$node"
done
wait "$pid"
is "$(says cancelled)$(entries)" "miss 'kill';'kill' is not saved: the job was ended;0" \
    "cancelled while it is saved it is given up"
like "$(cat cancelled.out)" "cancelled cancelled" "and the job ends so"
is "$(made after '{"key": "kill", "paths": "out"}' "$few")" \
    "miss 'kill';saved 'kill', 501 files;" "the next one saves it"
is "$(made after2 '{"key": "kill", "paths": "out"}' 'test "$(cat out/[0-9]* | wc -l)" = 500')" \
    "hit 'kill' from branch main, 501 files;" "and all of it is found"

# ---- in the background -------------------------------------------------------
no_entries
for key in a b; do
    told "check$key" "{\"key\": \"check$key\", \"paths\": \"out\"}" "$some"
done
a=$(entry '*checka')
b=$(entry '*checkb')
check() {
    "$BERTH_LIBEXEC/cache" check "$@"
}
ok "there are two to read" test -d "$a/root" -a -d "$b/root"
touch -d '3 days ago' "$a/verified"
touch -d '2 days ago' "$b/verified"
touch -d '1 hour ago' "$a" "$b"
used=$(stat -c %Y "$a")
read_since() {
    find "$a" "$b" -name verified -newermt '1 hour ago' | wc -l
}
check 86400000 1 60000
is "$(read_since) $(find "$a" -name verified -newermt '1 hour ago' | wc -l)" "1 1" \
    "a turn is bounded, and begins with what was read longest ago"
check 86400000 1 60000
is "$(read_since)" 2 "the next one goes on"
is "$(stat -c %Y "$a")" "$used" "being read is no use"
printf x | dd of="$a/$first_dir/f" bs=1 seek=5000 conv=notrunc status=none
is "$(check 86400000 99999999 60000) $(entries)" " 2" "what was read is left alone for a while"
is "$(check 0 99999999 60000)" "removed 1 of 2 that were read: damaged" \
    "a byte that changed is found"
is "$(ls -d "$a" "$b" 2>/dev/null)" "$b" "and the entry removed, the other not"
boot "$b"
check 86400000 99999999 60000
is "$(cat "$b/verified")" "$(cat /proc/sys/kernel/random/boot_id)" \
    "after a boot all is read again, and needs no reading at first use then"
is "$(find "$BERTH_STATE_DIR/cache/trash" -mindepth 1 | wc -l)" 0 "nothing lies about"
is "$(traces)" "" "nor is anything mounted or running"
done_testing
