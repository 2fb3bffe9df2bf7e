# tests/lib/docker.sh - a private Docker Engine, and an image for it.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Source it after tap.sh; then:
#   docker_missing          prints why there can be no engine here, else nothing
#   docker_image_make       makes the image's archive, unless it is there; takes
#                           a minute or two, and the network
#   docker_up DIR [USER [OPTION…]]   starts an engine with all it has in DIR;
#                           containers' root is a uid of berth's, or (USER
#                           `none`) the host's
#   docker_down DIR         ends it, and removes what it made
#   docker_api DIR METHOD PATH [CURL-OPTION…]   a call of its API
#   docker_import DIR NAME  imports the archive
#
# It runs in mounts of its own, where /etc/subuid is ours: the host's files stay
# as they are, and its mounts go with it.

docker_cache=${BERTH_TEST_CACHE:-/var/cache/berth-tests}
docker_suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
docker_archive=$docker_cache/docker-$docker_suite-1.tar

docker_missing() {
    local program
    if [ "$(id -u)" -ne 0 ]; then
        echo "needs root"
        return
    fi
    for program in dockerd containerd curl; do
        command -v "$program" >/dev/null || {
            echo "no $program: make test-docker installs and runs it"
            return
        }
    done
    [ -s "$docker_archive" ] ||
        echo "no $docker_archive: make test-docker makes it"
}

docker_image_make() {
    local work
    [ ! -s "$docker_archive" ] || return 0
    mkdir -p "$docker_cache" || return 1
    work=$(mktemp -d "$docker_cache/.make.XXXXXX") || return 1
    chmod 755 "$work"
    if debootstrap --variant=minbase --include=python3,git,procps \
        "$docker_suite" "$work/root" >"$work/log" 2>&1; then
        tar -C "$work/root" -cf "$work/tar" --exclude=./var/cache/apt \
            --exclude=./var/lib/apt/lists --exclude=./usr/share/doc \
            --exclude=./usr/share/locale . &&
            mv "$work/tar" "$docker_archive"
    else
        tail -n 5 "$work/log"
    fi
    rm -rf --one-file-system "$work"
    [ -s "$docker_archive" ]
}

# In the new mounts: DIR, then the engine's arguments.
# shellcheck disable=SC2016 # for the other shell
docker_script='
dir=$1
shift
for file in passwd group subuid subgid; do
    [ -e /etc/$file ] || continue
    mount --bind "$dir/etc/$file" /etc/$file
done
exec dockerd "$@"'

docker_api() {
    local dir=$1 method=$2 path=$3
    shift 3
    curl -sS --max-time 120 --unix-socket "$dir/docker.sock" -X "$method" \
        "$@" "http://docker/v1.41$path"
}

docker_up() {
    local dir=$1 user=${2:-berth-sandbox} name _
    local -a options=(--host "unix://$dir/docker.sock" --data-root "$dir/root"
        --exec-root "$dir/exec" --pidfile "$dir/pid" --bridge=none
        --iptables=false --ip6tables=false --ip-masq=false
        --cgroup-parent "/berth-test-docker-$$" "${@:3}")
    mkdir -p "$dir/etc" && chmod 711 "$dir"
    for name in passwd group subuid subgid; do
        # Made where it is missing: nobody has uids of others then.
        [ -e "/etc/$name" ] || : >"/etc/$name"
    done
    cp /etc/passwd /etc/group "$dir/etc/"
    echo "berth-sandbox:x:64999:64999::/:/usr/sbin/nologin" >>"$dir/etc/passwd"
    echo "berth-sandbox:x:64999:" >>"$dir/etc/group"
    echo "berth-sandbox:1900000000:65536" | tee "$dir/etc/subuid" \
        >"$dir/etc/subgid"
    [ "$user" = none ] || options+=("--userns-remap=$user")
    unshare --mount --propagation slave sh -c "$docker_script" sh "$dir" \
        "${options[@]}" >"$dir/log" 2>&1 </dev/null &
    for _ in $(seq 300); do
        docker_api "$dir" GET /_ping >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    tail -n 20 "$dir/log"
    return 1
}

docker_down() {
    local dir=$1 pid _ hierarchy
    pid=$(cat "$dir/pid" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null
    for _ in $(seq 200); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ ! -d "$hierarchy/berth-test-docker-$$" ] ||
            find "$hierarchy/berth-test-docker-$$" -depth -type d \
                -exec rmdir {} + 2>/dev/null
    done
    rm -rf --one-file-system "${dir:?}"/*
}

docker_import() {
    docker_api "$1" POST "/images/create?fromSrc=-&repo=$2&tag=latest" \
        -H 'Content-Type: application/x-tar' -T "$docker_archive" |
        grep -q '"status":"sha256:'
}
