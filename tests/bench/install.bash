#!/bin/bash
# tests/bench/install.bash - install: npm from the cache against npm ci.
# SPDX-License-Identifier: Apache-2.0
#
# BENCH_PACKAGES (60, of 200 files each), BENCH_ROUNDS (9). A figure is the
# median of the rounds: npm ci with all packages in its cache, on a tmpfs, and
# the step of a job, by the result of berth run. No registry is asked.
set -euo pipefail
cd "$(dirname "$0")/../.."
packages=${BENCH_PACKAGES:-60}
rounds=${BENCH_ROUNDS:-9}
berth=$(realpath "$BERTH_BIN")

# Mounts of our own, so that all of it goes with us.
if [ -z "${BENCH_INSIDE:-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "bench-install: needs root" >&2; exit 1; }
    BENCH_INSIDE=1 exec unshare -m bash "$0"
fi
tmp=$(mktemp -d)
mount -t tmpfs -o size=6g,mode=711 tmpfs "$tmp"
finish() {
    cd /
    umount -l "$tmp"
    rmdir "$tmp"
}
trap finish EXIT
cd "$tmp"
export BERTH_STATE_DIR=$tmp/state HOME=$tmp npm_config_cache=$tmp/npm
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1

mkdir -p app/tgz
node - "$packages" <<'END'
const fs = require('fs');
const crypto = require('crypto');
const { execFileSync } = require('child_process');
const root = { name: 'app', version: '1.0.0', dependencies: {} };
const lock = { name: 'app', version: '1.0.0', lockfileVersion: 3,
    requires: true, packages: { '': root } };
for (let i = 0; i < +process.argv[2]; i++) {
    const name = `bench-package-${i}`;
    for (let j = 0; j < 199; j++) {
        const file = `package/lib/d${j % 11}/f${j}.js`;
        fs.mkdirSync(file.replace(/\/[^/]*$/, ''), { recursive: true });
        let text = '';
        while (text.length < (j * 97) % 18000)
            text += `exports.f${text.length} = ${Math.random()};\n`;
        fs.writeFileSync(file, text);
    }
    fs.writeFileSync('package/package.json',
        JSON.stringify({ name, version: '1.0.0' }));
    const tgz = `app/tgz/${name}.tgz`;
    execFileSync('tar', ['czf', tgz, 'package']);
    fs.rmSync('package', { recursive: true });
    root.dependencies[name] = '1.0.0';
    lock.packages[`node_modules/${name}`] = { version: '1.0.0',
        resolved: `https://registry.npmjs.org/${name}/-/${name}-1.0.0.tgz`,
        integrity: 'sha512-' + crypto.createHash('sha512')
            .update(fs.readFileSync(tgz)).digest('base64') };
}
fs.writeFileSync('app/package.json', JSON.stringify(root));
fs.writeFileSync('app/package-lock.json', JSON.stringify(lock));
END
npm cache add ./app/tgz/*.tgz >/dev/null 2>&1
git -C app init -q -b main
git -C app add -A
git -C app -c user.name=b -c user.email=b@example.org commit -qm bench

cat >first.yml <<'END'
name: install
sandbox: { instance_type: standard-4 }
steps:
  - checkout:
  - run: npm cache add ./tgz/*.tgz >/dev/null 2>&1
  - install: npm
  - run: find node_modules -type f | wc -l
END
sed '/cache add/d' first.yml >next.yml

# step INDEX: milliseconds of that step of the last job
step() {
    node -p 'const r = JSON.parse(require("fs").readFileSync("result.json"));
        if (r.state !== "passed") process.exit(1);
        r.steps[process.argv[1]].duration_ms' "$1"
}
job() {
    "$berth" run --json --repo "$tmp/app" "$1" >result.json 2>job.err ||
        { cat job.err >&2; exit 1; }
}
median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

job first.yml
step 2 >first.ms
cp -r app peer
for _ in $(seq "$rounds"); do
    rm -rf peer/node_modules
    began=${EPOCHREALTIME/./}
    (cd peer && npm ci --no-audit --no-fund --no-update-notifier >/dev/null)
    echo $(((${EPOCHREALTIME/./} - began) / 1000)) >>npm.ms
    job next.yml
    grep -q 'node_modules from the cache' job.err
    step 1 >>hit.ms
done
files=$(find peer/node_modules -type f | wc -l)
echo "# node_modules of $files files," \
    "$(du -sm peer/node_modules | cut -f1) MiB; $(nproc) processors"
echo "# npm ci and berth's cache: $(stat -f -c %T "$tmp"); what a sandbox" \
    "writes: ext4 on a loop device"
echo "# the first time, npm ci in a sandbox: $(cat first.ms) ms"
awk -v a="$(median hit.ms)" -v b="$(median npm.ms)" 'BEGIN {
    printf "bench install_known_lock %d ms vs npm-ci-warm-cache %d ratio %.1f\n",
        a, b, b / (a ? a : 1) }'
