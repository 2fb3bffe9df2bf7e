// tests/security/jobs_files.js - links and races against steps on files.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const rig = require('./rig');
const { job, script, must, trap, isEmpty, INSTANCE } = require('./jobs');

const why = 'paths are looked up inside, beneath the workspace';
const may = { 'continue-on-error': true };

const refused = (step) => step.outcome === 'failed' &&
    /leads out|not a|no such|No such|is a|link|Invalid argument/i.test(step.message || '');

// Swap a directory and a link to `target` under the name `d`, for good, at once.
const swapper = (target) => ({ name: 'swaps', background: true,
    wait_for: { log: 'swapping' }, run: `mkdir d; echo mine >d/secret
        ln -s '${target}' out
        exec python3 -c '
import ctypes
exchange = ctypes.CDLL(None).renameat2
assert exchange(-100, b"d", -100, b"out", 2) == 0
print("swapping", flush=True)
while True: exchange(-100, b"d", -100, b"out", 2)'` });

async function writeThroughLink(scene) {
    const dir = trap(scene, 'write-link');
    const { steps } = await job([
        script('links', `ln -s '${dir}' d; ln -s '${dir}/f' f`),
        { name: 'parent', write_file: { path: 'd/f', content: 'x' }, ...may },
        { name: 'itself', write_file: { path: 'f', content: 'x' }, ...may }]);

    must(isEmpty(dir), 'it is outside');
    must(steps.parent.outcome === 'failed', steps.parent);
    return 'refused; a link itself is replaced';
}

async function writeRace(scene) {
    const dir = trap(scene, 'write-race');
    const tries = Array.from({ length: 25 }, (_, i) => ({ name: `try ${i}`,
        write_file: { path: `d/f${i}`, content: 'x' }, ...may }));
    const { steps } = await job([swapper(dir), ...tries]);

    must(isEmpty(dir), 'it is outside');
    const lost = tries.filter(({ name }) => steps[name].outcome === 'failed');
    must(lost.length > 0, 'it never met the link');
    return `25 tries, ${lost.length} refused`;
}

async function readThroughLink(scene) {
    const { log, steps } = await job([
        script('links', `ln -s '${scene.env.ATTACK_FILE}' a; ln -s /etc/passwd b
            ln -s /proc/1/environ c; ln -s /dev/zero d; mkfifo e
            ln -s ../../../../../etc f; ln -s /proc/self/root g`),
        ...['a', 'b', 'c', 'd', 'e', 'f/passwd', 'g/etc/passwd'].map((name) => ({
            name, read_file: name, timeout: '20s', ...may }))]);

    must(!log.includes(rig.token) && !log.includes('root:x'), log.slice(-800));
    const passed = Object.values(steps).filter((step) =>
        step.kind === 'read_file' && step.outcome === 'passed');
    must(passed.length === 0, passed);
    for (const step of Object.values(steps))
        must(step.kind !== 'read_file' || refused(step), step);
    return 'refused: it leads out, or is no file';
}

async function readRace(scene) {
    const tries = Array.from({ length: 25 }, (_, i) => ({ name: `try ${i}`,
        read_file: 'd/secret', ...may }));
    const { log, steps } = await job([swapper(scene.host), ...tries]);
    const lost = tries.filter(({ name }) => steps[name].outcome === 'failed');

    must(!log.includes(rig.token), 'it read the host\'s file');
    must(lost.length > 0, 'it never met the link');
    return `25 tries, ${lost.length} refused`;
}

// Files of the artifacts of a job.
function kept(result) {
    const dir = path.join(rig.state, 'artifacts');
    const found = fs.existsSync(dir) ? execFileSync('find', [dir, '-path',
        `*${result.job.id}*`, '-not', '-type', 'd', '-printf', '%y %m %P\\0'])
        .toString('latin1').split('\0').filter(Boolean) : [];
    return found.filter((line) => !/\/expires$|\/index[^/]*$/.test(line));
}

function holdsToken(result) {
    const dir = path.join(rig.state, 'artifacts');
    try {
        return execFileSync('grep', ['-rl', rig.token, dir]).toString()
            .split('\n').some((line) => line.includes(result.job.id));
    } catch {
        return false;
    }
}

async function artifactLinks(scene) {
    const { result } = await job([
        script('links', `mkdir out; echo mine >out/f
            ln -s '${scene.host}' out/d; ln -s '${scene.host}/secret' out/s
            ln -s /etc out/etc; ln -s / out/root`),
        { name: 'kept', artifacts: ['out', 'out/**'], ...may },
        { name: 'whole link', artifacts: 'out/s', ...may },
        { name: 'through', artifacts: 'out/d/secret', ...may }]);
    const files = kept(result);

    must(!holdsToken(result), 'the host\'s file was kept');
    must(files.every((line) => line.startsWith('f ')) &&
        !files.some((line) => /passwd|root/.test(line)), files);
    return 'links are left out';
}

async function artifactRace(scene) {
    const tries = Array.from({ length: 10 }, (_, i) => ({ name: `try ${i}`,
        artifacts: ['d', 'd/secret'], ...may }));
    const { result } = await job([swapper(scene.host), ...tries]);

    must(!holdsToken(result), 'the host\'s file was kept');
    return '10 tries';
}

async function artifactHardLinks() {
    const { result, log } = await job([
        script('links', 'mkdir out; echo mine >out/a; ln out/a out/b; ' +
            'ln /usr/bin/env out/env; ln /etc/hosts out/hosts; true'),
        { name: 'kept', artifacts: 'out', ...may }]);
    const names = kept(result).map((line) => line.replace(/.*\//, '')).sort();

    must(names.join() === 'a,b', names);
    must((log.match(/failed to create hard link/g) || []).length >= 2, log);
    return 'EXDEV: no link to another\'s file';
}

async function artifactFifo() {
    const { steps, result } = await job([
        script('makes', 'mkdir out; mkfifo out/pipe; echo x >out/f; ' +
            'python3 -c "import socket; s=socket.socket(socket.AF_UNIX); ' +
            's.bind(\'out/socket\')"'),
        { name: 'kept', artifacts: 'out', timeout: '20s', ...may }]);

    must(steps.kept.outcome === 'passed' && kept(result).length === 1,
        kept(result));
    return 'left out, and not opened';
}

async function artifactSparse() {
    const before = fs.statfsSync(rig.work);
    const { steps } = await job([
        script('makes', 'truncate -s 15T big && ls -ls big'),
        { name: 'kept', artifacts: 'big', timeout: '60s', ...may }]);
    const after = fs.statfsSync(rig.work);

    must(steps.kept.outcome === 'failed', steps.kept);
    must((before.bavail - after.bavail) * before.bsize < 1 << 30, 'it was copied');
    return `refused: ${(steps.kept.message || '').slice(0, 40)}`;
}

async function artifactMany() {
    const { steps } = await job([
        script('makes', 'mkdir out; cd out; seq 10100 | xargs touch'),
        { name: 'kept', artifacts: 'out', timeout: '60s', ...may }],
    // Room for as many.
    { sandbox: { instance_type: { ...INSTANCE, disk: '1GB' } } });

    must(steps.makes.outcome === 'passed' && steps.kept.outcome === 'failed',
        steps.kept);
    return 'refused: at most 10,000';
}

async function artifactNames() {
    const { result, steps, log } = await job([
        script('makes', `mkdir out; cd out; touch "$(printf 'a\\nb')" \\
            "$(printf 'esc\\033]0;x\\007')" "$(printf '\\377\\376')" '...' \\
            '..\\..\\up' '%2e%2e' ' ' "$(printf 'c\\rd')"`),
        { name: 'kept', artifacts: 'out', ...may }]);

    must(!log.includes('\x1b]0') && !JSON.stringify(result).includes('\x1b]'),
        'it steers the terminal');
    must(steps.kept.outcome === 'passed' || steps.kept.message, steps.kept);
    must(kept(result).every((line) => !line.includes('/../')), kept(result));
    return `${kept(result).length} kept, none elsewhere`;
}

async function artifactDeep() {
    const { steps } = await job([
        script('makes', 'for i in $(seq 600); do mkdir d && cd d || exit 1; ' +
            'done; echo x >f'),
        { name: 'kept', artifacts: 'd', timeout: '60s', ...may }]);

    must(steps.kept.outcome === 'failed' || steps.kept.outcome === 'passed',
        steps.kept);
    return `${steps.kept.outcome}: ${(steps.kept.message || '').slice(0, 30)}`;
}

async function artifactSetuid() {
    const { result } = await job([
        script('makes', 'mkdir out; cp /usr/bin/id out/id; chmod 6755 out/id'),
        { name: 'kept', artifacts: 'out' }]);
    const files = kept(result);

    must(files.length === 1 && !/^f [2467]\d\d\d /.test(files[0]), files);
    return 'without the bits';
}

// berth run --keep copies the workspace.
async function keptWorkspace(scene) {
    const dir = trap(scene, 'kept');
    const { log } = await job([script('makes', `cp /usr/bin/id id; chmod 6777 id
        ln -s '${dir}' link; mkfifo pipe; ln -s '${scene.host}/secret' secret
        truncate -s 1G sparse; mkdir d; chmod 2777 d`)], { args: ['--keep'] });
    const where = (log.match(/(\/\S*kept\/\S+)/) || [])[1];

    must(where, log.slice(-400));
    const odd = execFileSync('find', [where, '-type', 'f', '(', '-name', 'secret',
        '-o', '-perm', '/6000', '-not', '-uid', String(rig.SANDBOX_USER), ')'])
        .toString().trim();
    const open_ = fs.statSync(path.dirname(where)).mode & 0o077;
    must(odd === '' && isEmpty(dir) && !open_, `kept: ${odd} ${open_}`);
    return 'links as links, in root\'s directory';
}

module.exports = { attacks: [
    { name: 'write-file-link', why, attack: writeThroughLink },
    { name: 'write-file-race', why, attack: writeRace },
    { name: 'read-file-link', why, attack: readThroughLink },
    { name: 'read-file-race', why, attack: readRace },
    { name: 'artifacts-link', why, attack: artifactLinks },
    { name: 'artifacts-race', why, attack: artifactRace },
    { name: 'artifacts-hard-link', why, attack: artifactHardLinks },
    { name: 'artifacts-fifo', why, attack: artifactFifo },
    { name: 'artifacts-sparse', why, attack: artifactSparse },
    { name: 'artifacts-many', why, attack: artifactMany },
    { name: 'artifacts-names', why, attack: artifactNames },
    { name: 'artifacts-deep', why, attack: artifactDeep },
    { name: 'artifacts-setuid', why, attack: artifactSetuid },
    { name: 'kept-workspace', why, attack: keptWorkspace },
] };
