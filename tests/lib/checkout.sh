# tests/lib/checkout.sh - real repositories and a Git server for `checkout`.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # names of the tests
#
# Source it behind tap.sh; the directory is $TEST_TMP then, and git is no
# user's. It sources daemons.sh. Then:
#   $T $R            the directory; the repository repo.git in it
#   $uid             who mirrors and trees belong to
#   said KIND REGEX  $out and $status are of a driver that failed so
#   serve            sets base (http), port, and tls_port (or '': no openssl);
#                    the server is tests/integration/checkout_server.js, its
#                    log is `log`; it ends with the script

: "${tap_root:?source tap.sh first}"
# shellcheck source=daemons.sh
. "$tap_root/tests/lib/daemons.sh"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=3
export GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_CONFIG_KEY_1=user.name GIT_CONFIG_VALUE_1=n
export GIT_CONFIG_KEY_2=user.email GIT_CONFIG_VALUE_2=n@example.org
unset GIT_SSH_COMMAND GIT_SSH SSL_CERT_DIR
# Whoever sends proxies in the environment does not mean loopback.
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost

T=$TEST_TMP
R=$T/repo.git
cd "$T" || exit 1
chmod 711 "$T"
uid=0
if [ "$(id -u)" = 0 ]; then
    uid=200100
fi

said() {
    printf '%s\n' "$out"
    [ "$status" = 1 ] && printf '%s\n' "$out" | grep -Eq "^error $1 .*$2"
}

serve() {
    if command -v openssl >/dev/null; then
        openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem \
            -out cert.pem -days 2 -subj /CN=localhost \
            -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
        chmod 644 cert.pem
    fi
    : >log
    node "$tap_root/tests/integration/checkout_server.js" "$T" ports log \
        key.pem cert.pem >server.out 2>&1 &
    pids+=($!)
    wait_for test -s ports
    read -r port tls_port <ports
    base=http://127.0.0.1:$port
}
