#!/bin/bash
# tests/e2e/images.sh - images of OCI layouts and registries.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
cd "$TEST_TMP" || exit 1
unset BERTH_REDIS BERTH_WORKER_DRIVER
# Not on the tmpfs of the tests: a disk of 16 GiB is made there.
work=$(mktemp -d /tmp/bi.XXXXXX)
chmod 755 "$work"
export BERTH_STATE_DIR=$work/state
registry=
wrap=(env)
end() {
    [ -z "$registry" ] || kill "$registry" 2>/dev/null
    wait
    rm -rf --one-file-system "$work"
}
trap end EXIT

for program in skopeo umoci busybox; do
    command -v "$program" >/dev/null || {
        skip "images" "no $program: make test-docker installs it"
        done_testing
        exit
    }
done
if [ "$(id -u)" -ne 0 ]; then
    skip "images" "needs root"
    done_testing
    exit
fi

# layout TAG TEXT: an image with busybox, and TEXT in /etc/mark
layout() {
    local root=$work/root name
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/etc" "$root/usr" || return 1
    cp "$(command -v busybox)" "$root/bin/busybox" || return 1
    for name in sh cat id ls stat; do
        ln -s busybox "$root/bin/$name"
    done
    echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
    echo "$2" >"$root/etc/mark"
    [ -d "$work/layout" ] || umoci init --layout "$work/layout" || return 1
    umoci new --image "$work/layout:$1" &&
        umoci insert --rootless --image "$work/layout:$1" "$root" / &&
        chmod -R a+rX "$work/layout"
}

# run IMAGE SCRIPT
run() {
    printf 'name: images\nsandbox: {image: "%s"}\nsteps: [{run: "%s"}]\n' \
        "$1" "$2" >images.yml
    "${wrap[@]}" "$BERTH_BIN" run images.yml --repo "$tap_root" --no-color 2>&1
}
has() {
    run "$1" "$2" >out
    grep -qF "$3" out || {
        cat out
        return 1
    }
}
count() {
    find "$BERTH_STATE_DIR/images" -name "*$1" | wc -l
}

ok "two images are made" eval 'layout a first && layout b second'
ok "a layout is an image" has "oci:$work/layout:a" 'cat /etc/mark' first
ok "another of the same layout is another" \
    has "oci:$work/layout:b" 'cat /etc/mark' second
is "$(count .img)" 2 "both are kept"
touch -d '10 days ago' "$BERTH_STATE_DIR"/images/*.img
before=$(stat -c %i "$BERTH_STATE_DIR"/images/*.img | sort)
ok "a third run uses what is there" \
    has "oci:$work/layout:a" 'id; stat -c %u:%g /bin/busybox' 0:0
is "$(stat -c %i "$BERTH_STATE_DIR"/images/*.img | sort)" "$before" \
    "nothing was fetched anew"
is "$(find "$BERTH_STATE_DIR/images" -name '*.img' -mmin -5 | wc -l)" 1 \
    "it counts as used"
ok "nothing can be written to it" \
    has "oci:$work/layout:a" 'echo x >/etc/mark || cat /etc/mark' first
ok "a tag that is not there is the pipeline's fault" \
    has "oci:$work/layout:none" true 'no image'
ok "neither is a directory that is none one" has "oci:$work/none:a" true "image '$work"
ok "a layout may not lie in berth's state" \
    has "oci:$BERTH_STATE_DIR/images:a" true "berth's own state"
BERTH_IMAGE_DIRS=/usr/share ok "nor outside BERTH_IMAGE_DIRS" \
    has "oci:$work/layout:a" true 'BERTH_IMAGE_DIRS'
ok "registries that are not listed are not talked to" \
    has docker://169.254.169.254/a/b true "images of '169.254.169.254'"

# What was not used for long goes, and rubbish of who was killed.
touch -d '40 days ago' "$BERTH_STATE_DIR"/images/*.img
: >"$BERTH_STATE_DIR/images/00.part"
ok "an image is used again" has "oci:$work/layout:b" 'cat /etc/mark' second
is "$(count .img)" 1 "the other, unused for 40 days, is gone"
is "$(count .part)" 0 "so is what was left half-made"

# Two at a time, and one who is killed in the middle.
rm -f "$BERTH_STATE_DIR"/images/*
"$BERTH_LIBEXEC/image-fetch" "$BERTH_STATE_DIR/images" \
    "oci:$work/layout:a" >one 2>&1 &
one=$!
"$BERTH_LIBEXEC/image-fetch" "$BERTH_STATE_DIR/images" \
    "oci:$work/layout:a" >two 2>&1 &
two=$!
wait "$one" "$two"
is "$(cat one)" "$(cat two)" "two at a time get the same"
ok "which is there" test -s "$(cat one)"
rm -f "$BERTH_STATE_DIR"/images/*
for ms in 05 15 30 45; do
    timeout -s KILL "0.$ms" "$BERTH_LIBEXEC/image-fetch" \
        "$BERTH_STATE_DIR/images" "oci:$work/layout:b"
done >/dev/null 2>&1
ok "after kill -9 it is fetched all the same" \
    has "oci:$work/layout:b" 'cat /etc/mark' second
is "$(count .img) $(count .part)" "1 0" "and nothing half-made is left"
ok "no loop device is left" eval '! losetup -a | grep -F "$BERTH_STATE_DIR"'

# A real registry, where there is one.
conf=/etc/containers/registries.conf.d
if ! command -v docker-registry >/dev/null || [ ! -d "$conf" ]; then
    skip "docker://NAME" "no docker-registry: make test-docker installs it"
    done_testing
    exit
fi
port=$(node "$tap_root/tests/lib/free_port.js")
mkdir "$work/registry"
cat >registry.yml <<END
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:$port"}
END
# It speaks no TLS, which the host has to allow: here in mounts of the test's own.
mkdir "$work/conf"
printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' "$port" \
    >"$work/conf/test.conf"
chmod -R a+rX "$work/conf"
# shellcheck disable=SC2016 # for the other shell
wrap=(unshare --mount --propagation slave sh -c
    'mount --bind "$0" "$1"; shift; exec "$@"' "$work/conf" "$conf")
docker-registry serve registry.yml >registry.log 2>&1 &
registry=$!
export BERTH_WORKER_REGISTRIES=docker.io,127.0.0.1:$port
push() {
    wait_for skopeo --insecure-policy copy --dest-tls-verify=false \
        "oci:$work/layout:$1" "docker://127.0.0.1:$port/team/x:$2"
}
name=docker://127.0.0.1:$port/team/x
ok "an image is pushed" push a 1
ok "an image of a registry" has "$name:1" 'cat /etc/mark' first
digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "$name:1")
ok "one by its digest" has "$name@$digest" 'cat /etc/mark' first
ok "a tag is moved" push b 1
ok "then it is the other image" has "$name:1" 'cat /etc/mark' second
ok "a digest is still what it was" has "$name@$digest" 'cat /etc/mark' first
ok "one that is not there is the pipeline's fault" has "$name:no" true 'no image'
done_testing
