#!/bin/bash
# tests/integration/show.sh - files of commits, from real repositories.
# SPDX-License-Identifier: Apache-2.0
#
# The driver is the scheduler's client, of
# tests/unit/scheduler/intake/repo_file_test.c; the program is the real one.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# shellcheck source=tests/lib/checkout.sh
. "$(dirname "$0")/../lib/checkout.sh"

driver=$BERTH_LIBEXEC/../../tests/unit/scheduler/intake/repo_file_test

# run STATE REPO KEY=VALUE…: sets out and status; files are out/0, out/1 …
run() {
    local state=$T/state/$1 repo=$2
    shift 2
    rm -rf out
    mkdir out
    status=0
    out=$("$driver" drive repo="$repo" state="$state" uid="$uid" out="$T/out" \
        "$@" 2>&1) || status=$?
}

# paths: of all files that were told, in one line
paths() {
    printf '%s\n' "$out" | sed -n 's/^path [0-9]* //p' | tr '\n' ' '
}

commit_of() {
    printf '%s\n' "$out" | sed -n 's/^done commit=\([^ ]*\) .*/\1/p'
}

branch_of() {
    printf '%s\n' "$out" | sed -n 's/^done .* branch=//p'
}

# why N: why the file was not told
why() {
    printf '%s\n' "$out" | sed -n "s/^none $1 //p"
}

# ---- a repository ----------------------------------------------------------
git init -q -b main sub
git -C sub commit -q --allow-empty -m sub
git init -q -b main work
cd work || exit 1
mkdir -p .berth/deep
echo 'steps: [{run: echo main}]' >.berth/test.yml
echo deep >.berth/deep/file
ln -s test.yml .berth/link.yml
ln -s .berth linked
ln -s /etc out-of-here
git -c protocol.file.allow=always submodule --quiet add "$T/sub" mod
git add -A
git commit -qm one
git tag -a v1 -m v1
git checkout -qb side
echo 'steps: [{run: echo side}]' >.berth/test.yml
git commit -qam two
git checkout -q --orphan linked
git rm -rqf .
mkdir real
echo x >real/test.yml
ln -s real .berth
git add -A
git commit -qm 'a symbolic link'
git checkout -qf main
cd ..
git clone -q --bare work repo.git
git init -q -b main big
head -c $((5 << 20)) /dev/urandom >big/large
head -c $((1 << 20)) /dev/urandom >big/just
cat big/just <(echo) >big/above
for i in $(seq 0 15); do
    (echo "$i"; head -c $(((1 << 20) - 10)) big/just) >"big/many$i"
done
mkdir big/dir big/thousand
cp big/above big/dir/above.yml
cp big/just big/dir/just.yml
for i in $(seq 1000 1999); do echo "$i" >"big/thousand/$i.yml"; done
git -C big add -A
git -C big commit -qm big
main=$(git -C "$R" rev-parse main)
side=$(git -C "$R" rev-parse side)
pull=$(git -C "$R" commit-tree 'side^{tree}' -p main -m 'a change')
git -C "$R" update-ref refs/pull/5/head "$pull"

# ---- a hostile one ---------------------------------------------------------
# Trees made by hand: entries of any mode and name, in any order.
git init -q --bare evil
entry() { # MODE NAME OBJECT
    printf '%s %b\0' "$1" "$2"
    printf '%b' "$(printf '%s' "$3" | sed 's/../\\x&/g')"
}
blob_of() { printf '%s\n' "$1" | git -C evil hash-object -w --stdin; }
tree_of() { git -C evil hash-object -w --literally -t tree --stdin; }
blob=$(blob_of x)
empty=$(git -C evil hash-object -w -t tree /dev/null)
evil=$({
    entry 100644 z.yml "$(blob_of z)"
    entry 100644 a.yml "$(blob_of a)"
    entry 100755 b.yml "$(blob_of b)"
    entry 100644 a.yml "$(blob_of 'a again')"
    entry 120000 link.yml "$blob"
    entry 40000 tree.yml "$empty"
    entry 160000 mod.yml "$blob"
    entry 100644 'new\nline.yml' "$blob"
    entry 100644 'esc\x1b[2J.yml' "$blob"
    entry 100644 'latin\xff.yml' "$blob"
    entry 100644 'zero\xe2\x80\x8bwidth.yml' "$blob"
    entry 100644 '../up.yml' "$blob"
    entry 100644 .hidden.yml "$blob"
    entry 100644 .git "$blob"
    entry 100644 'sp ace"q.yml' "$blob"
    entry 100644 "$(printf 'l%.0s' $(seq 300)).yml" "$blob"
} | tree_of)
top=$(entry 40000 .berth "$evil" | tree_of)
git -C evil update-ref refs/heads/main \
    "$(git -C evil commit-tree "$top" -m evil 2>/dev/null)"

# ---- which commit ----------------------------------------------------------
file=path=.berth/test.yml
run a "$R" $file
is "$(commit_of) $(branch_of)" "$main main" "HEAD of a path"
is "$(cat out/0)" 'steps: [{run: echo main}]' "and its file"
is "$(find state/a/mirrors/* -printf '%U\n' | sort -u)" "$uid" \
    "the mirror belongs to the uid"
run a "file://$R" $file branch=side
is "$(commit_of) $(branch_of)" "$side side" "file://, a branch"
is "$(cat out/0)" 'steps: [{run: echo side}]' "and its file"
is "$(find state/a/mirrors/* -prune | wc -l)" 1 "in the same mirror"
run a "$R" $file ref=v1
is "$(commit_of) [$(branch_of)]" "$main []" "an annotated tag"
run a "$R" branch=refs/heads/side
is "$(commit_of) $(branch_of)" "$side side" "a branch by its full name"
run a "$R" $file branch="$side"
ok "an id is no branch" said user "'refs/heads/$side'"
run a "$R" $file branch=v1
ok "nor is a tag" said user "'refs/heads/v1'"
run a "$R" $file ref=refs/pull/5/head branch=main
is "$(commit_of) [$(branch_of)]" "$pull []" "a ref goes before a branch"
run a "$R" $file commit="$side" ref=v1
is "$(commit_of)" "$side" "and a commit before both"
is "$(cat out/0)" 'steps: [{run: echo side}]' "and its file"
mv "$R" away.git
run a "$R" $file commit="$side"
is "$(commit_of)" "$side" "what the mirror has is not asked for"
run a "$R" $file
ok "a branch is, of a repository that is gone" said user "no repository at"
mv away.git "$R"
run a "$R"
is "$out" "done commit=$main branch=main" "no file, only the commit"
run a "$R" $file commit=deadbeefdeadbeefdeadbeefdeadbeefdeadbeef
ok "no such commit" said user 'no commit deadbeef'
run a "$R" $file commit=deadbeef
ok "no whole commit" said user 'not a whole commit id'
run a "$R" $file ref=nowhere
ok "no such ref" said user "no branch, tag or reference 'nowhere'"
run a ext::sh $file
ok "no such transport" said user "remote helpers"

# ---- which files -----------------------------------------------------------
run a "$R" path=none path=.berth/none path=.gitmodules/x path=.berth path=mod \
    path=mod/x path=.berth/link.yml path=linked/test.yml \
    path=out-of-here/passwd path=.berth/deep/file
is "$(why 0), $(why 1), $(why 2)" "is not there, is not there, is not there" \
    "what is not there"
is "$(why 3)" "is a directory" "a directory"
is "$(why 4), $(why 5)" "is a submodule, is in a submodule" "a submodule"
is "$(why 6), $(why 7), $(why 8)" "is a symbolic link, is behind a symbolic \
link, is behind a symbolic link" "symbolic links are not followed"
is "$(cat out/9)" deep "a file below directories"
is "$(commit_of)" "$main" "none of which is an error"
run a "$R" $file branch=linked
is "$(why 0)" "is behind a symbolic link" "a .berth that is one"
mapfile -t many < <(seq -f 'path=many%.0f' 0 15)
run a "$T/big" path=large path=above path=just
is "$(why 0)" "is larger than 1 MiB" "5 MiB"
is "$(why 1)" "is larger than 1 MiB" "1 MiB and a byte"
ok "1 MiB" cmp out/2 big/just
run a "$T/big" "${many[@]}"
same=0
for i in $(seq 0 15); do
    cmp -s "out/$i" "big/many$i" && same=$((same + 1))
done
is "$same" 16 "16 files of nearly 1 MiB"
run a "$T/big" "${many[@]}" $file
ok "but not 17" said bug "too many files"
for path in '' /etc/passwd ../x a/../b .git/config a//b; do
    run a "$R" path="$path"
    ok "not '$path'" said user "cannot be a file of a repository"
done
run a "$R" path="$(printf 'a%.0s' $(seq 256))"
ok "nor a name of 256 bytes" said user "cannot be a file of a repository"
is "$(find state/a -name test.yml)" '' "no tree was written"

# ---- a pattern -------------------------------------------------------------
pattern='path=.berth/*.yml'
run a "$R" "$pattern"
is "$(paths)" ".berth/test.yml " "regular files of a directory"
is "$(cat out/0)" 'steps: [{run: echo main}]' "and what is in them"
run a "$R" path=.gitmodules path=none "$pattern"
is "$(paths)" ".gitmodules none .berth/test.yml " "behind those that are named"
is "$(why 1)" "is not there" "of which one is not there"
run a "$R" path='*'
is "$(paths)" "" "hidden ones do not fit a star"
run a "$R" path='.git*'
is "$(paths)" ".gitmodules " "but a dot, at the top too"
for path in 'none/*.yml' '.berth/test.yml/*' 'linked/*.yml' 'mod/*' \
    'out-of-here/*' '*.yml' '.berth/de*p'; do
    run a "$R" path="$path"
    is "$out" "done commit=$main branch=main" "nothing fits '$path'"
done
run a "$R" "$pattern" branch=linked
is "$(paths)" "" "a .berth that is a symbolic link is no directory"
run a "$R" "$pattern" $file
ok "a pattern is the last" said bug "only the last path"
run a "$R" path='.berth/*.*'
ok "and has one star" said user "more than one '\*'"
run a "$R" path='../*'
ok "of a path that may be" said user "cannot be a file of a repository"
run a "$T/big" path='dir/*.yml'
is "$(paths)" "dir/above.yml dir/just.yml " "one is too large"
is "$(why 0)" "is larger than 1 MiB" "which is said of it"
ok "and the other one is not" cmp out/1 big/just
run a "$T/big" path='many*'
is "$(paths)" "$(printf '%s ' many0 many1 many1{0..5} many{2..9})" \
    "16 files, sorted by their bytes"
ok "are all there are" test "$(printf '%s' "$out" | grep -c ^more)" = 0
run a "$T/big" path=just path='many*'
is "$(paths)" "$(printf '%s ' just many0 many1 many1{0..5} many{2..8})" \
    "16 in all"
is "$(printf '%s\n' "$out" | grep -c ^more)" 1 "and that there are more is said"
run a "$T/big" path='thousand/*.yml'
is "$(paths)" "$(printf 'thousand/%s.yml ' {1000..1015})" "of 1000 the first"
is "$(cat out/15) $(printf '%s\n' "$out" | grep -c ^more)" "1015 1" \
    "and that there are more is said"
run a "$T/evil" "$pattern"
hand='.berth/a.yml .berth/b.yml .berth/sp ace"q.yml .berth/z.yml '
is "$(paths)" "$hand$(printf '.berth/zero\xe2\x80\x8bwidth.yml ')" \
    "of a tree made by hand what can be told, in order, once each"

run b "$R"
mirror=$(echo state/b/mirrors/*)
mv "$mirror"/objects/pack/*.pack pack
rm -f "$mirror"/objects/pack/*
git -C "$mirror" unpack-objects -q <pack
blob=$(git -C "$R" rev-parse main:.berth/test.yml)
rm -f "$mirror/objects/${blob:0:2}/${blob:2}"
chown -R "$uid" "$mirror"
run b "$R" $file commit="$main"
ok "a mirror that lost the file" said transient "will be fetched anew"
run b "$R" $file commit="$main"
is "$(cat out/0)" 'steps: [{run: echo main}]' "is made anew the next time"

# ---- http and https --------------------------------------------------------
serve
run h "$base/git/repo.git" $file branch=side
is "$(commit_of) $(cat out/0)" "$side steps: [{run: echo side}]" "http"
run h "$base/auth/repo.git" $file
ok "a credential is needed" said user "authentication failed"
run h "$base/auth/repo.git" $file username=user password=hunter2
ok "a wrong one" said user "authentication failed"
is "$(printf '%s' "$out" | grep -c hunter2)" 0 "is not printed"
run h "$base/auth/repo.git" $file username=user password=secret
is "$(commit_of)" "$main" "a right one"
run h "http://user:secret@127.0.0.1:$port/auth/repo.git" $file
is "$(commit_of)" "$main" "from the address"
run h "$base/auth/repo.git" $file commit="$main"
ok "what it fetched is not for others" said user "authentication failed"
is "$(grep -rl secret state/h)" '' "and it is written nowhere"
run h "$base/git/none.git" $file
ok "404" said user "no such repository"
run h "$base/busy/repo.git" $file
ok "503" said transient "503"
run h http://127.0.0.1:1/x.git $file
ok "nobody listens" said transient "cannot fetch"
start=$(date +%s%N)
run h "$base/mute/repo.git" $file timeout=500
took=$((($(date +%s%N) - start) / 1000000))
ok "a mute server" said transient "took longer than 1 s"
ok "is left at the deadline ($took ms)" test "$took" -lt 5000
if [ -n "$tls_port" ]; then
    SSL_CERT_FILE='' run s "https://localhost:$tls_port/git/repo.git" $file
    ok "a certificate that nobody signed" said transient certificate
    SSL_CERT_FILE=$T/cert.pem run s "https://localhost:$tls_port/git/repo.git" \
        $file
    is "$(commit_of) $(cat out/0)" "$main steps: [{run: echo main}]" "https"
else
    skip "https" "openssl is not installed"
fi

# ---- killed ----------------------------------------------------------------
# By their path these processes are known from other tests'.
ln -s "$BERTH_LIBEXEC" libexec
export BERTH_LIBEXEC=$T/libexec
there() { [ "$(pgrep -fc "$T/libexec/checkout")" = "$1" ]; }
# start KEY=VALUE…: in the background, at a server that says nothing
start() {
    "$driver" drive repo="$base/mute/repo.git" state="$T/state/k" uid="$uid" \
        $file "$@" >killed.out 2>&1 &
    client=$!
    ok "two processes at work" wait_for there 2
}
start kill_after=6000
ok "given up on the way" wait "$client"
is "$(cat killed.out)" '' "nobody is called back"
ok "and no process is left" wait_for there 0
start
kill -KILL "$client"
wait "$client" 2>/dev/null
ok "nor when the scheduler is killed" wait_for there 0
start
kill -KILL "$(pgrep -fo "$T/libexec/checkout --show")"
wait "$client"
is "$(cat killed.out)" "error transient checkout died of signal 9" \
    "when its process is, it says so"
ok "and the other one ends" wait_for there 0
for ms in 3 8 13 18 23 28 33 40 50; do
    run k "$R" $file kill_after="$ms"
done
run k "$R" $file
is "$(commit_of)" "$main" "after nine that were killed, it works"
is "$(find state/k -name '*_git2_*')" '' "no part of a pack is left"
done_testing
