#!/usr/bin/env node
// tests/integration/checkout_hostile.test.js - trees that mean harm.
// SPDX-License-Identifier: Apache-2.0
//
// Objects are written straight into a mirror, as a server could have sent
// them; then their commit is checked out by the real program. Nothing may
// appear outside the tree, nothing may crash, and the message names the path.
'use strict';
const { execFileSync, spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { ok: report, end } = require('../lib/tap');

const libexec = process.env.BERTH_LIBEXEC ||
    path.resolve(__dirname, '../../build/debug/libexec/berth');
const tmp = process.env.TEST_TMP || fs.mkdtempSync(path.join(os.tmpdir(), 't'));
const mirror = path.join(tmp, 'mirror');
const outside = path.join(tmp, 'outside');
const driver = path.resolve(libexec,
    '../../tests/unit/worker/checkout/client_test');
const UID = process.getuid() === 0 ? 200100 : 0;
const env = {
    ...process.env, BERTH_LIBEXEC: libexec,
    GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'n', GIT_AUTHOR_EMAIL: 'e', GIT_COMMITTER_NAME: 'n',
    GIT_COMMITTER_EMAIL: 'e', GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*',
};

function git(args, options = {}) {
    return execFileSync('git', args, { env, ...options }).toString().trim();
}

function object(type, data) {
    return git(['-C', mirror, 'hash-object', '-t', type, '-w', '--literally',
        '--stdin'], { input: data });
}

// [mode, name, oid] in the order given: git itself would sort and refuse.
function tree(...entries) {
    return object('tree', Buffer.concat(entries.flatMap(([mode, name, oid]) => [
        Buffer.from(`${mode} `), Buffer.from(name), Buffer.from([0]),
        Buffer.from(oid, 'hex')])));
}

function commit(treeOid) {
    return object('commit', `tree ${treeOid}\nauthor n <e> 1700000000 +0000\n` +
        'committer n <e> 1700000000 +0000\n\nhostile\n');
}

function drive(dir, options) {
    fs.rmSync(dir, { recursive: true, force: true });
    fs.mkdirSync(dir);
    fs.chownSync(dir, UID, UID);
    const args = Object.entries({
        url: path.join(tmp, 'repo'), mirror, tree: dir, uid: UID,
        alternates: path.join(mirror, 'objects'), ...options,
    }).map(([key, value]) => `${key}=${value}`);
    const run = spawnSync(driver, ['drive', ...args], { env, timeout: 120000 });
    return { status: run.status, text: run.stdout.toString() + run.stderr };
}

function snapshot() {
    return JSON.stringify([fs.readdirSync(tmp).sort(),
        fs.readdirSync(outside).sort(),
        fs.readFileSync(path.join(outside, 'canary'), 'utf8')]);
}

function refused(name, treeOid, wanted) {
    const dir = path.join(tmp, 'tree');
    const before = snapshot();
    const run = drive(dir, { commit: commit(treeOid) });
    const written = fs.existsSync(dir) ? fs.readdirSync(dir) : [];
    const good = run.status === 1 && wanted.test(run.text) &&
        /^error user /m.test(run.text) && snapshot() === before &&
        written.length === 0;
    report(good, `refused: ${name}`, `${run.text}\nstatus ${run.status}, ` +
        `wanted ${wanted}, left [${written}]`);
}

function taken(name, treeOid, check) {
    const dir = path.join(tmp, 'tree');
    const before = snapshot();
    const run = drive(dir, { commit: commit(treeOid) });
    let why = '';
    try {
        why = run.status !== 0 ? run.text : check(dir);
        if (!why)
            why = git(['-C', dir, 'status', '--porcelain']);
        if (!why && snapshot() !== before)
            why = 'something outside the tree has changed';
    } catch (error) {
        why = error.stack;
    }
    report(!why, `taken: ${name}`, why);
}

function setUp() {
    const repo = path.join(tmp, 'repo');

    for (const dir of ['outside', 'repo', 'tree'])
        fs.mkdirSync(path.join(tmp, dir));
    fs.chmodSync(tmp, 0o711);
    fs.writeFileSync(path.join(outside, 'canary'), 'alive');
    fs.chmodSync(outside, 0o777);
    git(['init', '-q', '-b', 'main', repo]);
    git(['-C', repo, 'commit', '-q', '--allow-empty', '-m', 'first']);
    const run = drive(path.join(tmp, 'tree'), {});
    report(run.status === 0, 'an empty tree is checked out', run.text);
}

setUp();
const blob = object('blob', 'content\n');
const evil = tree(['100644', 'config', blob]);
const link = object('blob', outside);
const dotGit = /could be taken for \.git/;

for (const name of ['.git', '.GIT', '.Git', 'git~1', 'GIT~1', '.git ', '.git.',
    '.git . .', '.git::$INDEX_ALLOCATION', '.git:x', '.g\u200cit', '\ufeff.git',
    '.gi\u206at', '.git\u202e', 'a\\.git\\config', '.git\\x'])
    for (const [mode, oid] of [['40000', evil], ['100644', blob]])
        refused(`${JSON.stringify(name)} as ${mode}`, tree([mode, name, oid]),
            dotGit);
refused('.git as a submodule', tree(['160000', '.git', '1'.repeat(40)]),
    dotGit);
refused('.git below', tree(['40000', 'sub', tree(['40000', '.git', evil])]),
    /'sub\/\.git' could be taken/);
refused('..', tree(['40000', '..', evil]), /leads out/);
refused('.', tree(['40000', '.', evil]), /leads out/);
refused('../outside/x', tree(['100644', '../outside/x', blob]), /slash/);
refused('an absolute path', tree(['100644', `${outside}/x`, blob]),
    /slash/);
refused('an empty name', tree(['100644', '', blob]),
    /is empty|can't parse filename/);
refused('a symbolic link and a directory of one name',
    tree(['120000', 'a', link], ['40000', 'a', evil]), /'a' is there twice/);
refused('the same, apart', tree(['120000', 'a', link], ['100644', 'a.b', blob],
    ['40000', 'a', evil]), /'a' is there twice/);
refused('the same, out of order', tree(['40000', 'b', evil],
    ['120000', 'a', link]), /out of order/);
refused('a file twice', tree(['100644', 'a', blob], ['100755', 'a', blob]),
    /'(\/)?a' is there twice/);
refused('a name of 300 bytes', tree(['100644', 'n'.repeat(300), blob]),
    /longer than 255/);
refused('a socket', tree(['140000', 'a', blob]), /no kind/);
refused('a device', tree(['20644', 'a', blob]), /no kind/);
refused('.gitmodules as a symbolic link', tree(['120000', '.gitmodules', link]),
    /'.gitmodules' must be a regular file/);
refused('.gitmodules in disguise', tree(['120000', 'GITMOD~1', link]),
    /must be a regular file/);

let deep = evil;
for (let i = 0; i < 300; i++)
    deep = tree(['40000', 'd', deep]);
refused('300 directories deep', deep, /deeper than 256/);
let long = evil;
for (let i = 0; i < 20; i++)
    long = tree(['40000', 'l'.repeat(200), long]);
refused('a path of 4000 bytes', long, /longer than 3500/);
let bomb = blob;
for (let i = 0; i < 8; i++)
    bomb = tree(...[...'0123456789'].map((name) =>
        [i ? '40000' : '100644', name, bomb]));
refused('10^8 files made of 8 trees', bomb, /more than a million/);

taken('symbolic links as they are', tree(['120000', 'away', link],
    ['120000', 'etc', object('blob', '/etc/passwd')]), (dir) =>
    fs.readlinkSync(`${dir}/away`) === outside ? '' : 'the link is another');
taken('names that only look bad', tree(...['.gitfoo', '.gitkeep', 'con',
    'git', 'git~10', 'x.git', 'x~1', 'y\nz', 'z"q'].map((name) =>
    ['100644', name, blob])), (dir) =>
    fs.readdirSync(dir).length === 10 ? '' : `${fs.readdirSync(dir)}`);
taken('names that differ in case', tree(['100644', 'A', blob],
    ['40000', 'a', evil]), (dir) =>
    fs.existsSync(`${dir}/a/config`) && fs.existsSync(`${dir}/A`) ? '' :
        'one is missing');
taken('a name that is not UTF-8', tree(
    ['100644', Buffer.from([0x66, 0xff, 0xfe]), blob]), (dir) =>
    fs.readdirSync(dir, 'buffer').some((name) => name.includes(0xff)) ? '' :
        'it is missing');
taken('modes', tree(['100755', 'run', blob], ['100644', 'text', blob]), (dir) =>
    (fs.statSync(`${dir}/run`).mode & 0o777) === 0o755 &&
    (fs.statSync(`${dir}/text`).mode & 0o777) === 0o644 ? '' : 'wrong modes');
taken('end-of-line attributes', tree(
    ['100644', '+before.txt', blob],
    ['100644', '.gitattributes', object('blob', '*.txt text eol=crlf\n')],
    ['100644', 'a.txt', blob]), (dir) =>
    ['+before.txt', 'a.txt'].filter((name) =>
        fs.readFileSync(`${dir}/${name}`, 'utf8') !== 'content\r\n')
        .map((name) => `${name}: no carriage return`).join());
const pointer = 'version https://git-lfs.github.com/spec/v1\n' +
    `oid sha256:${'a'.repeat(64)}\nsize 5\n`;
taken('LFS pointers left alone', tree(
    ['100644', '.gitattributes', object('blob', '*.bin filter=lfs -text\n')],
    ['100644', 'a.bin', object('blob', pointer)]), (dir) =>
    fs.readFileSync(`${dir}/a.bin`, 'utf8') === pointer ? '' : 'changed');
let fair = evil;
for (let i = 0; i < 100; i++)
    fair = tree(['40000', 'd', fair]);
taken('100 directories deep', fair, (dir) =>
    fs.existsSync(`${dir}/${'d/'.repeat(100)}config`) ? '' : 'it is missing');
taken('a submodule that is not asked for', tree(
    ['160000', 'sub', '1'.repeat(40)]), (dir) =>
    fs.readdirSync(`${dir}/sub`).length === 0 ? '' : 'not empty');

// What is damaged is made anew, not believed for ever.
{
    const dir = path.join(tmp, 'tree');
    const broken = commit(tree(['100644', 'a', '2'.repeat(40)]));
    const first = drive(dir, { commit: broken });
    report(/^error transient .*fetched anew/m.test(first.text),
        'a missing blob condemns the mirror', first.text);
    const second = drive(dir, {});
    report(second.status === 0 && /fetched=1/.test(second.text),
        'the next checkout makes it anew', second.text);
}

end();
