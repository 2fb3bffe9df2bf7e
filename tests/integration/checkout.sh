#!/bin/bash
# tests/integration/checkout.sh - checkouts from real repositories and servers.
# SPDX-License-Identifier: Apache-2.0
# long 35
#
# The driver is the client of run-job (tests/unit/worker/checkout/client_test.c
# with the argument "drive"); the program is the real one, unless a test says
# otherwise.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# shellcheck source=tests/lib/checkout.sh
. "$(dirname "$0")/../lib/checkout.sh"

export BERTH_STATE_DIR=$T/state
driver=$BERTH_LIBEXEC/../../tests/unit/worker/checkout/client_test

# run MIRROR URL KEY=VALUE…: sets out and status; the tree is $T/tree
run() {
    local mirror=$T/mirrors/$1 url=$2
    shift 2
    rm -rf "$T/tree"
    mkdir "$T/tree"
    chown "$uid" "$T/tree"
    status=0
    out=$("$driver" drive url="$url" mirror="$mirror" \
        tree="$T/tree" alternates="$mirror/objects" uid="$uid" "$@" 2>&1) ||
        status=$?
}

passed() {
    [ "$status" = 0 ] || { printf '%s\n' "$out"; return 1; }
}

field() {
    printf '%s\n' "$out" | sed -n "s/^done .*\\b$1=\\([^ ]*\\).*/\\1/p"
}

tree_git() {
    git -C "$T/tree" "$@"
}

# same_as_clone COMMIT: the tree is what plain git makes of it
same_as_clone() {
    rm -rf "$T/clone"
    git clone -q "$R" "$T/clone" && git -C "$T/clone" checkout -q "$1" &&
        diff -r --no-dereference -x .git "$T/clone" "$T/tree" &&
        [ -z "$(tree_git status --porcelain)" ] &&
        diff <(git -C "$T/clone" ls-files -s) <(tree_git ls-files -s) &&
        diff <(cd "$T/clone" && find . -name .git -prune -o -printf '%p %m\n' |
            sort) \
            <(cd "$T/tree" && find . -name .git -prune -o -printf '%p %m\n' |
                sort) &&
        tree_git fsck --no-dangling
}

# ---- a repository ----------------------------------------------------------
git init -q -b main work
cd work || exit 1
mkdir -p src/deep/er
for i in $(seq 40); do echo "file $i" >"src/f$i"; done
echo x >src/deep/er/x
ln -s src/f1 link
ln -s /etc/passwd away
printf '#!/bin/sh\n' >run.sh
chmod +x run.sh
printf 'a\tb\n' >'with space "and" ünïcode'
head -c 200000 /dev/urandom >binary
git add -A
git commit -qm 'first commit: äöü'
git tag -a v1.0 -m 'version 1'
git branch feature/one
echo more >>src/f1
git commit -qam 'second commit'
git tag light
cd ..
git clone -q --bare work repo.git
main=$(git -C "$R" rev-parse main)
first=$(git -C "$R" rev-parse main~1)
orphan=$(git -C "$R" commit-tree 'main^{tree}' -p main -m 'nobody names it')
pull=$(git -C "$R" commit-tree 'main~1^{tree}' -p main -m 'a change')
git -C "$R" update-ref refs/pull/5/head "$pull"
git -C "$R" update-ref refs/merge-requests/7/head "$pull"

# ---- what can be asked for -------------------------------------------------
run a "$R" inside_uid="$uid"
ok "HEAD of a path" passed
is "$(find tree mirrors/a -printf '%U\n' | sort -u)" "$uid" \
    "all of it belongs to the uid"
is "$(field commit) $(field branch) $(field fetched)" "$main main 1" \
    "the commit and the branch are told"
is "$(stat -c '%a %u' mirrors/a)" "700 $uid" "the mirror is the uid's alone"
ok "the tree is what a clone is" same_as_clone main
is "$(tree_git log --format=%s | tail -1)" 'first commit: äöü' "git log works"
is "$(tree_git describe)" "v1.0-1-g$(git -C "$R" rev-parse --short main)" \
    "git describe works"
is "$(tree_git symbolic-ref HEAD)" refs/heads/main "HEAD is on the branch"
is "$(tree_git rev-parse --abbrev-ref 'main@{upstream}')" origin/main \
    "which tracks origin's"
is "$(tree_git remote get-url origin)" "$R" "origin is the repository"
run a "$R" commit="$first" ref=main
is "$(field commit) $(field branch) $(field fetched)" "$first main 0" \
    "a commit that the mirror has: no fetch; the ref names the branch"
ok "an older tree is what a clone is" same_as_clone "$first"
run a "file://$R" commit="$first"
is "$(field commit) [$(field branch)]" "$first []" "file://, a detached HEAD"
run a "$R" ref=feature/one
is "$(field commit) $(field branch)" "$first feature/one" "a branch"
run a "$R" ref=v1.0
is "$(field commit) [$(field branch)]" "$first []" "an annotated tag"
run a "$R" ref=refs/tags/light
is "$(field commit)" "$main" "a light tag by its full name"
run a "$R" ref="$main"
is "$(field commit) $(field fetched)" "$main 0" "a commit id as the ref"
run a "$R" ref=refs/pull/5/head base=main
is "$(field commit)" "$pull" "refs/pull/N/head"
is "$(tree_git diff --name-only main...)" src/f1 "git diff base... works"
is "$(tree_git diff --name-only origin/main...)" src/f1 "and with origin/"
run b "$R" ref=merge-requests/7/head
is "$(field commit)" "$pull" "refs/merge-requests/N/head"
run b "$R" commit="$orphan"
is "$(field commit)" "$orphan" "a commit that no reference leads to"
run c "$R" commit="$pull"
is "$(field commit)" "$pull" "a commit that only a pull request leads to"
run a "$T/work" ref=main
ok "another repository in the same mirror is refused" \
    said user "another repository's"
run d "$T/work"
ok "a work tree's path" passed
git -C work checkout -q --detach HEAD~1
run d "$T/work"
is "$(field commit) [$(field branch)]" "$first []" "a detached HEAD over there"
git -C work checkout -q main

# ---- what cannot -----------------------------------------------------------
run a "$R" commit=deadbeefdeadbeefdeadbeefdeadbeefdeadbeef
ok "no such commit" said user 'no commit deadbeef.*push it first'
run a "$R" commit=deadbeef
ok "a short id is refused" said user "not a whole commit id: give all 40"
run a "$R" ref=nowhere
ok "no such ref" said user "no branch, tag or reference 'nowhere'"
run a "$R" ref=refs/pull/6/merge
ok "no such pull request" said user "'refs/pull/6/merge'"
run a "$R" base=nowhere
ok "no such base" said user "no branch 'nowhere' to compare with"
run a "$R" commit="$(git -C "$R" rev-parse 'main^{tree}')"
ok "a tree is no commit" said user "is no commit"
run none "$T/none"
ok "no such path" said user "no repository at '$T/none'"
mkdir plain
run plain "$T/plain"
ok "no repository there" said user "no git repository"
git init -q empty
run empty "$T/empty"
ok "an empty repository" said user "is empty: push a commit"
git clone -q --depth 1 "file://$R" shallow
run shallow "$T/shallow"
ok "a shallow clone" said user "git fetch --unshallow"
run full "$R"
mkdir full && touch full/file && chown -R "$uid" full
status=0
out=$("$driver" drive url="$R" mirror="$T/mirrors/full" tree="$T/full" \
    alternates=/x uid="$uid") || status=$?
ok "a tree that is not empty" said user "is not empty"

# ---- branches that change their ways ---------------------------------------
git -C "$R" branch -m feature/one feature
run a "$R" ref=feature
is "$(field branch)" feature "feature/one became feature"
git -C "$R" branch -m feature feature/two/three
run a "$R" ref=feature/two/three
is "$(field branch)" feature/two/three "feature became feature/two/three"
run a "$R" ref=feature
ok "what is gone is gone" said user "'feature'"
is "$(tree_git rev-parse --git-dir 2>/dev/null)" '' "and nothing is left of it"

# ---- two at once, locks, kills ---------------------------------------------
mkdir t1 t2
chown "$uid" t1 t2
for n in 1 2; do
    "$driver" drive url="$R" mirror="$T/mirrors/twice" tree="$T/t$n" \
        alternates="$T/mirrors/twice/objects" uid="$uid" >"out$n" 2>&1 &
    eval "pid$n=\$!"
done
# shellcheck disable=SC2154
ok "the first of two at once" wait "$pid1"
# shellcheck disable=SC2154
ok "the second of two at once" wait "$pid2"
is "$(git -C t1 status --porcelain; git -C t2 status --porcelain)" '' \
    "both trees are clean"

echo "process 1 of a test" >mirrors/a/berth.lock
flock mirrors/a/berth.lock sleep 30 &
holder=$!
locked() { ! flock -n mirrors/a/berth.lock true; }
wait_for locked
run a "$R" ref=main timeout=3000
ok "a lock that is held" said transient "fetched into by process 1 of a test"
run a "$R" commit="$main"
is "$(field fetched)" 0 "no lock is needed for what is there"
pkill -P "$holder" sleep
wait "$holder" 2>/dev/null

for ms in 3 8 13 18 23 28 33 40 50; do
    run "killed" "$R" kill_after="$ms"
done
run killed "$R"
ok "after nine that were killed, it works" passed
is "$(find mirrors/killed -name '*_git2_*')" '' "no part of a pack is left"
run killed2 "$R"
rm mirrors/killed2/berth-mirror mirrors/killed2/config
run killed2 "$R"
ok "a half-made mirror is made anew" passed
: >mirrors/killed2/objects/pack/pack_git2_stale
chown "$uid" mirrors/killed2/objects/pack/pack_git2_stale
run killed2 "$R" ref=main
is "$(find mirrors/killed2 -name '*_git2_*')" '' \
    "a killed fetch's pack is swept"
run "killed" "$R" kill_on_progress=1
is "$status" 0 "killed from inside its own callback"

# ---- programs that misbehave -----------------------------------------------
mkdir fake
ln -s "$BERTH_LIBEXEC/launch" fake/launch
fake() {
    printf '#!/bin/sh\n%s\n' "$1" >fake/checkout
    chmod +x fake/checkout
    BERTH_LIBEXEC=$T/fake run fake "$R" "${@:2}"
}
fake 'echo nonsense'
ok "not JSON" said bug "must not say"
fake "echo '{\"progress\":\"x\",\"done\":1}'"
ok "two keys" said bug "must not say"
fake "echo '{\"connect\":2}'"
ok "a connection that there is not" said bug "must not say"
fake "echo '{\"connect\":0}'; echo '{\"connect\":0}'; sleep 5"
ok "a connection twice" said bug "twice"
fake 'head -c 100000 /dev/zero | tr "\0" x; sleep 5'
ok "a line without an end" said bug "without an end"
fake "while :; do echo '{\"progress\":\"x\"}'; done"
ok "endless talk" said bug "too much"
fake 'exit 3'
ok "no last word" said bug "ended with 3"
fake 'kill -SEGV $$'
ok "a crash" said bug "signal 11"
fake 'kill -KILL $$'
ok "killed by the kernel" said transient "out of memory"
out_of_tree="{\"path\":\"../x\",\"url\":\"/x\",\"commit\":\"$main\"}"
fake "echo '{\"submodule\":$out_of_tree}'"
ok "a submodule's path that leads out" said bug "must not say"
start=$(date +%s%N)
fake 'trap "" TERM; sleep 60' timeout=400
ok "one that hangs" said transient "took longer"
took=$((($(date +%s%N) - start) / 1000000))
ok "is killed at its deadline ($took ms)" test "$took" -lt 3000

# ---- http and https --------------------------------------------------------
serve
run h1 "$base/git/repo.git"
ok "http" passed
ok "the tree over http is what a clone is" same_as_clone main
run h1 "$base/git/repo.git" commit="$pull"
is "$(field commit)" "$pull" "a pull request's commit over http"
late=$(git -C "$R" commit-tree 'main^{tree}' -p main -m late)
run h1 "$base/git/repo.git" commit="$late"
ok "a commit that the server does not give" said user "no commit $late"
git -C "$R" config uploadpack.allowAnySHA1InWant true
run h1 "$base/git/repo.git" commit="$late"
is "$(field commit)" "$late" "and one that it does"
run h1 "$base/git/repo.git" commit=deadbeefdeadbeefdeadbeefdeadbeefdeadbeef
ok "one that there is not" said user "no commit deadbeef"
run h2 "$base/git/none.git"
ok "404" said user "no such repository"
run h3 "$base/auth/repo.git"
ok "a credential is needed" said user "authentication failed"
run h3w "$base/auth/repo.git" username=user password=hunter2
ok "a wrong one" said user "authentication failed"
is "$(printf '%s' "$out" | grep -c hunter2)" 0 "is not printed"
is "$(grep -c '^auth .* Basic' log)" 1 "and offered once"
run h3r "$base/auth/repo.git" username=user password=secret
ok "a right one" passed
run h3r "http://user:secret@127.0.0.1:$port/auth/repo.git"
ok "from the address" passed
is "$(grep -rl secret mirrors/h3r tree/.git)" '' "is written nowhere"
: >log
run h3r "$base/auth/repo.git" commit="$main" username=user password=secret
is "$(field fetched) $(wc -l <log)" "0 0" "what it fetched is there for it"
run h3r "$base/auth/repo.git" commit="$main"
ok "but not without it" said user "another credential"
is "$(find tree -mindepth 1)" '' "of which nothing was read"
run h3r "$base/auth/repo.git" commit="$main" username=user password=other
ok "nor with another" said user "another credential"
run h3r "$base/auth/repo.git" commit="$main" username=other password=secret
ok "nor as somebody else" said user "another credential"
run h3 "$base/auth/repo.git" commit="$main" username=user password=secret
ok "nor is a stranger's mirror taken" said user "another credential"
is "$(stat -c %a state/mirror.key)" 600 "the key is the host's own"
run h4 "$base/moved/repo.git" username=user password=secret
ok "a redirect on the same host" passed
: >log
run h5 "$base/away/repo.git" username=user password=secret
ok "not to another with a credential" said user "redirects elsewhere"
is "$(grep -c Basic log)" 0 "which it did not get"
run h6 "$base/cut/repo.git"
ok "a connection cut in the pack" said transient "cannot fetch"
run h6b "$base/busy/repo.git"
ok "503" said transient "503"
start=$(date +%s%N)
run h7 "$base/mute/repo.git" timeout=500
took=$((($(date +%s%N) - start) / 1000000))
ok "a mute server" said transient "took longer"
ok "is left at the deadline ($took ms)" test "$took" -lt 3000
run h8 http://127.0.0.1:1/x.git
ok "nobody listens" said transient "cannot fetch"
if [ -n "$tls_port" ]; then
    SSL_CERT_FILE='' run h9 "https://localhost:$tls_port/git/repo.git"
    ok "a certificate that nobody signed" said transient certificate
    SSL_CERT_FILE=$T/cert.pem run h9 "https://localhost:$tls_port/git/repo.git"
    ok "https with a certificate of our own" passed
else
    skip "https" "openssl is not installed"
fi

# ---- ssh -------------------------------------------------------------------
cat >ssh <<'END'
#!/bin/bash
printf '%s\n' "$@" >"$SSH_LOG"
case "$*" in
*denied*) echo 'git@denied: Permission denied (publickey).' >&2; exit 255 ;;
*unknown*) echo 'ssh: Could not resolve hostname unknown' >&2; exit 255 ;;
*changed*) echo 'Host key verification failed.' >&2; exit 255 ;;
*hangs*) exec sleep 61 ;;
esac
exec sh -c "${!#}"
END
chmod +x ssh
export SSH_LOG=$T/ssh.log GIT_SSH_COMMAND="$T/ssh -F none"
run s1 "ssh://git@example.org:2222$R"
ok "ssh://" passed
is "$(tail -n +3 ssh.log | tr '\n' ' ')" "-o BatchMode=yes \
-o ConnectTimeout=20 -o ServerAliveInterval=15 -p 2222 git@example.org git-upload-pack '$R' " \
    "asks for nothing"
run s2 "git@example.org:$R"
ok "user@host:path" passed
ok "the tree over ssh is what a clone is" same_as_clone main
run s3 "git@example.org:$T/it's; touch $T/pwned; '"
ok "a path with quotes is a path" said user "no git repository"
is "$(ls pwned 2>/dev/null)" '' "and no command"
run s4 "git@denied:x"
ok "no key" said user "no key of ours"
run s5 "git@changed:x"
ok "an unknown host key" said user "known_hosts"
run s6 "git@unknown:x"
ok "no such host" said transient "Could not resolve hostname"
run s7 "git@hangs:x" timeout=500
ok "ssh that hangs" said transient "took longer"
gone() { ! pgrep -f "$1" >/dev/null; }
ok "is killed too" wait_for gone 'slee[p] 61'

# The client is killed, and can tell nobody.
# bereave NAME PATTERN URL KEY=VALUE…
bereave() {
    local name=$1 pattern=$2 url=$3
    shift 3
    rm -rf tree
    mkdir tree
    chown "$uid" tree
    rm -rf mirrors/bereaved
    "$driver" drive url="$url" mirror="$T/mirrors/bereaved" tree="$T/tree" \
        alternates=/x uid="$uid" "$@" >bereaved.out 2>&1 &
    ok "$name" wait_for pgrep -f "$pattern"
    kill -KILL $!
    wait $! 2>/dev/null
    ok "dies with its client" wait_for gone "$pattern"
}
# By its path this one is known from those of other tests.
ln -s "$BERTH_LIBEXEC" libexec
BERTH_LIBEXEC=$T/libexec bereave "ssh that hangs" 'slee[p] 61' git@hangs:x
GIT_SSH_COMMAND="X=1 $T/ssh" run s8 "git@example.org:$R"
ok "a command that sets a variable" passed
ok "and so does checkout" gone "^$T/libexec/checkou[t]"
mkdir deaf
ln -s "$BERTH_LIBEXEC/launch" deaf/launch
printf '#!/bin/sh\nexec sleep 62\n' >deaf/checkout
chmod +x deaf/checkout
BERTH_LIBEXEC=$T/deaf bereave "a checkout that hangs" 'slee[p] 62' "$R"
mkdir slow
printf '#!/bin/sh\nexec sleep 63\n' >slow/git
chmod +x slow/git
cp -r repo.git owned2.git
if [ "$(id -u)" = 0 ]; then
    chown -R 200200:200200 owned2.git
fi
PATH=$T/slow:$PATH bereave "an upload-pack of another user that hangs" \
    'slee[p] 63' "$T/owned2.git"
unset GIT_SSH_COMMAND

# ---- submodules ------------------------------------------------------------
git init -q -b main inner
echo inner >inner/file
git -C inner add file
git -C inner commit -qm inner
git init -q -b main middle
git -C middle -c protocol.file.allow=always submodule add -q ../inner deep \
    2>/dev/null
git -C middle commit -qm middle
git init -q -b main outer
(
    cd outer || exit 1
    git -c protocol.file.allow=always submodule add -q ../middle lib/m
    git -c protocol.file.allow=always submodule add -q --name 'odd "name"' \
        "$T/inner" other
    git commit -qm outer
) 2>/dev/null
for name in inner middle outer; do
    git clone -q --bare "$name" "$name.git" 2>/dev/null
done
run sub "$T/outer"
is "$(ls tree/lib/m)" '' "none when not asked for"

# submodule NAME: a new outer repository with this address for its submodule
outer() {
    git -C outer config -f .gitmodules submodule.lib/m.url "$1"
    git -C outer commit -qam "$1"
    rm -rf outer.git
    git clone -q --bare outer outer.git
}
outer ../middle.git
git -C middle config -f .gitmodules submodule.deep.url ../inner.git
git -C middle commit -qam relative
git -C outer/lib/m pull -q origin main 2>/dev/null
git -C outer config -f .gitmodules 'submodule.odd "name".url' ./../inner.git
git -C outer commit -qam relative
rm -rf outer.git middle.git
git clone -q --bare middle middle.git
git clone -q --bare outer outer.git
run hsub "$base/git/outer.git" submodules=1
ok "relative submodules over http" passed
is "$(field submodules)" 3 "all three of them"
is "$(cat tree/lib/m/deep/file tree/other/file)" "inner
inner" "nested ones too"
is "$(tree_git status --porcelain)" '' "the tree is clean with them"
is "$(tree_git submodule status --recursive | cut -c1 | sort -u)" ' ' \
    "git submodule knows them"
is "$(git -C tree/lib/m log --format=%s | head -1)" relative "git works in them"
run subr "$T/outer.git" submodules=1
ok "relative submodules of a path are paths of this host" \
    said user "names a path of this host"
git -C outer rm -q --cached other
printf '[submodule "m"]\npath = lib/m\nurl = %s\n' "$base/git/middle.git" \
    >outer/.gitmodules
git -C outer add .gitmodules
git -C outer commit -qam 'one over http'
run sub "$T/outer" submodules=1
ok "a path's submodules over http" passed
is "$(field submodules)" 2 "both of them"
git -C outer reset -q --hard HEAD~1
outer "$T/inner.git"
run sub "$T/outer" submodules=1
ok "a path of this host is not for a repository of it" \
    said user "names a path of this host"
is "$(find tree/lib/m -mindepth 1)" '' "and nothing of it was read"
run hsub "$base/git/outer.git" submodules=1
ok "nor for one from elsewhere" said user "names a path of this host"
is "$(find tree/lib/m -mindepth 1)" '' "of which nothing was read either"
outer "file://$T/inner.git"
run hsub "$base/git/outer.git" submodules=1
ok "nor by file://" said user "names a path of this host"
outer 'ext::sh -c "touch pwned"'
run hsub "$base/git/outer.git" submodules=1
ok "nor a helper's" said user "remote helpers"
printf '[submodule "m"]\npath = lib/m\nurl = -u./pwn\n' >outer/.gitmodules
git -C outer commit -qam option
run sub "$T/outer" submodules=1
ok "nor an option" said user "begins with '-'"
printf '[submodule "../../x"]\npath = lib/m\nurl = ../inner\n' \
    >outer/.gitmodules
git -C outer commit -qam name
run sub "$T/outer" submodules=1
ok "a name that leads out" said user "name is refused"
: >outer/.gitmodules
git -C outer commit -qam none
run sub "$T/outer" submodules=1
ok "one without an address" said user "no address for submodule"

# ---- whose repository it is ------------------------------------------------
if [ "$(id -u)" = 0 ]; then
    cp -r repo.git owned.git
    chown -R 200200:200200 owned.git
    run own "$T/owned.git"
    ok "a repository of another user" passed
    cp -r inner/.git secret.git
    chmod 700 secret.git
    echo "$T/secret.git/objects" >owned.git/objects/info/alternates
    chown 200200:200200 owned.git/objects/info/alternates
    run own "$T/owned.git" commit="$(git -C inner rev-parse HEAD)"
    ok "cannot lend what only root may read" said user "no commit"
    run own "$T/owned.git" uid=200300
    ok "a mirror of another uid" said transient "belongs to uid $uid"
    tmpfs=$T/small
    mkdir "$tmpfs"
    if mount -t tmpfs -o size=128k,mode=777 tmpfs "$tmpfs" 2>/dev/null; then
        mkdir "$tmpfs/tree"
        chown "$uid" "$tmpfs/tree"
        status=0
        out=$("$driver" drive url="$R" mirror="$T/mirrors/a" uid="$uid" \
            tree="$tmpfs/tree" alternates=/x commit="$main") || status=$?
        ok "a full disk of the sandbox" said user "disk is full"
        umount "$tmpfs"
        mkdir -p mirrors/small
        mount -t tmpfs -o size=64k,mode=755,uid="$uid" tmpfs mirrors/small
        run small "$R"
        ok "a full disk of the host" said transient "No space left|full"
        umount mirrors/small
    else
        skip "full disks" "tmpfs cannot be mounted here"
    fi
else
    skip "owners and full disks" "not root"
fi

# ---- how long it takes -----------------------------------------------------
git init -q -b main large
(
    cd large || exit 1
    for d in $(seq 40); do
        mkdir "d$d"
        for f in $(seq 50); do echo "$d $f $RANDOM" >"d$d/f$f"; done
    done
    git add -A
    git commit -qm large
)
run large "$T/large"
diag "2,000 files, from a path: $(printf '%s\n' "$out" | sed -n 's/^ms //p') ms"
is "$(field files)" 2000 "2,000 files"
is "$(tree_git status --porcelain)" '' "are clean"
run large "$T/large" commit="$(git -C large rev-parse HEAD)"
diag "again, from the mirror: $(printf '%s\n' "$out" | sed -n 's/^ms //p') ms"
is "$(field fetched)" 0 "again, from the mirror"
start=$(date +%s%N)
git clone -q "file://$T/large" plain-clone
diag "git clone of the same: $((($(date +%s%N) - start) / 1000000)) ms"

done_testing
