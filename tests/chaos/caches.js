#!/usr/bin/env node
// tests/chaos/caches.js - whether what a cache holds is what it should be.
// SPDX-License-Identifier: Apache-2.0
//
// usage: unshare -m node caches.js STATE REPO PACKAGE
//
// Each tree in STATE's cache against a fresh one of its commit in REPO, each
// install against its digest and PACKAGE, each mirror by git fsck, each disk by
// e2fsck. A line for each complaint, and one at the end: `looked at …`.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync, spawnSync } = require('child_process');

const [state, repo, pkg] = process.argv.slice(2);
const cacheDir = path.join(state, 'cache');
const program = path.join(process.env.BERTH_LIBEXEC, 'cache');
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-caches-'));
const counts = { trees: 0, deltas: 0, installs: 0, mirrors: 0, disks: 0 };
const env = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*',
    GIT_CONFIG_GLOBAL: '/dev/null', GIT_OPTIONAL_LOCKS: '0' };

const list = (dir) => (fs.existsSync(dir) ? fs.readdirSync(dir) : []);
const git = (...args) => execFileSync('git', args, {
    env, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });

// Path → kind, mode and content of all that is in it but .git at the top.
function describe(top, modes = true) {
    const found = new Map();
    const walk = (at) => {
        for (const name of fs.readdirSync(path.join(top, at))) {
            const below = path.join(at, name);
            const file = path.join(top, below);
            const st = fs.lstatSync(file);
            const mode = modes ? (st.mode & 0o7777).toString(8) : '';
            if (below === '.git')
                continue;
            if (st.isSymbolicLink()) {
                found.set(below, `link ${fs.readlinkSync(file)}`);
            } else if (st.isDirectory()) {
                found.set(below, `directory ${mode}`);
                walk(below);
            } else {
                found.set(below, st.isFile() ? `file ${mode} ` + crypto
                    .createHash('sha1').update(fs.readFileSync(file))
                    .digest('hex') : 'of another kind');
            }
        }
    };
    walk('');
    return found;
}

function compare(what, got, wanted) {
    for (const [name, text] of wanted)
        if (got.get(name) !== text)
            console.log(`${what}: ${name} is ${got.get(name)}, not ${text}`);
    for (const name of got.keys())
        if (!wanted.has(name))
            console.log(`${what}: ${name} is too much`);
}

const freshTrees = new Map();
function fresh(commit) {
    if (!freshTrees.has(commit)) {
        const dir = path.join(work, commit);
        fs.mkdirSync(dir);
        execFileSync('sh', ['-c', 'git -C "$1" -c tar.umask=022 archive "$2" | ' +
            'tar -x -p -C "$3"', 'sh', repo, commit, dir], { env });
        freshTrees.set(commit, describe(dir));
    }
    return freshTrees.get(commit);
}

function checkTree(what, entry, meta) {
    const at = path.join(work, 'mounted');
    const lowers = [path.join(entry, 'git'), path.join(entry, 'tree')];
    if (meta.delta_of) {
        lowers.push(path.join(path.dirname(entry), meta.delta_of, 'tree'));
        counts.deltas++;
        if (!fs.existsSync(lowers[2])) // a miss, and then it goes
            return;
    }
    fs.mkdirSync(at, { recursive: true });
    // The newer call takes an option of 255 bytes only.
    execFileSync('mount', ['-t', 'overlay', '-o',
        `ro,lowerdir=${lowers.join(':')}`, 'overlay', at],
    { env: { ...process.env, LIBMOUNT_FORCE_MOUNT2: 'always' } });
    try {
        compare(what, describe(at), fresh(meta.commit));
        const own = ['--git-dir', path.join(at, '.git'), '--work-tree', at];
        const index = git(...own, 'ls-files', '-s')
            .replace(/ 0\t/g, '\t');
        const wanted = git('-C', repo, 'ls-tree', '-r', meta.commit)
            .replace(/ (blob|commit) /g, ' ');
        if (index !== wanted)
            console.log(`${what}: its index is another's`);
        if (git(...own, 'rev-parse', 'HEAD').trim() !== meta.commit)
            console.log(`${what}: its HEAD is another's`);
    } finally {
        execFileSync('umount', [at]);
    }
}

function checkInstall(what, entry, meta) {
    const top = path.join(entry, 'root');
    const fd = fs.openSync(top, 'r');
    const said = spawnSync(program, ['verify', String(2 ** 40)],
        { stdio: ['ignore', 'pipe', 'inherit', fd], encoding: 'utf8' });
    fs.closeSync(fd);
    if (JSON.parse(said.stdout).digest !== meta.digest)
        console.log(`${what}: its digest is ${said.stdout.trim()}, not ` +
            meta.digest);
    compare(what, describe(path.join(top, 'node_modules/left'), false),
        describe(pkg, false));
}

function checkEntries(kind, check) {
    const top = path.join(cacheDir, kind);
    for (const scope of list(top)) {
        for (const key of list(path.join(top, scope))) {
            const entry = path.join(top, scope, key);
            const what = `${kind}/${key}`;
            counts[kind]++;
            try {
                if ((fs.statSync(entry).mode & 0o7777) !== 0o700)
                    console.log(`${what}: others can enter it`);
                check(what, entry, JSON.parse(fs.readFileSync(
                    path.join(entry, 'meta'))));
            } catch (error) {
                console.log(`${what}: ${error.stderr || error}`);
            }
        }
    }
}

function checkMirrors() {
    for (const name of list(path.join(state, 'mirrors'))) {
        const mirror = path.join(state, 'mirrors', name, 'repo.git');
        if (!fs.existsSync(mirror))
            continue;
        counts.mirrors++;
        try {
            git('--git-dir', mirror, 'fsck', '--no-dangling');
        } catch (error) {
            console.log(`mirrors/${name}: ${error.stderr}`);
        }
    }
}

function checkDisks() {
    for (const name of list(path.join(state, 'disks'))) {
        const disk = path.join(state, 'disks', name);
        counts.disks++;
        if (!/^ext4-\d+$/.test(name))
            console.log(`disks/${name}: half a disk`);
        else if (spawnSync('e2fsck', ['-fn', disk],
            { env: { ...env, PATH: `${env.PATH}:/sbin:/usr/sbin` } }).status)
            console.log(`disks/${name}: e2fsck finds faults`);
    }
}

checkEntries('trees', checkTree);
checkEntries('installs', checkInstall);
checkMirrors();
checkDisks();
fs.rmSync(work, { recursive: true, force: true });
console.log(`looked at ${Object.entries(counts).map(([what, n]) =>
    `${n} ${what}`).join(', ')}`);
