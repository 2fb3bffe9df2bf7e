// tests/security/jobs_others.js - jobs after other jobs' things.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const { execFileSync, spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const rig = require('./rig');
const { job, script, must } = require('./jobs');

const why = 'each job has a sandbox of its own';
const WORD = `other-${rig.token}`;
const PORT = 45999;

// Everything that a job can leave or offer.
const OFFER = `
    for d in . ~ /tmp /var/tmp /dev/shm; do echo '${WORD}' >$d/left; done
    ipcmk -M 4096 -p 0666 >/dev/null
    exec -a '${WORD}' python3 -c '
import socket, time, sys
u = socket.socket(socket.AF_UNIX); u.bind("\\0" + sys.argv[1]); u.listen()
t = socket.socket(); t.bind(("127.0.0.1", ${PORT})); t.listen()
print("offered", flush=True)
time.sleep(float(sys.argv[2]))' '${WORD}'`;

// The script itself holds the word in two parts.
const SEARCH = `
    word=$(printf %s 'other-' '${rig.token}')
    grep -rls "$word" . ~ /tmp /var/tmp /dev/shm /run /mnt /srv /root && exit 1
    for p in /proc/[0-9]*; do
        [ "$p" = /proc/$$ ] || ! tr '\\0' ' ' <$p/cmdline 2>/dev/null |
            grep -q "$word " || { echo "$p"; exit 1; }
    done
    grep -q "$word" /proc/net/unix && exit 1
    [ "$(ipcs -m | grep -c 4096)" = 0 ] || exit 1
    python3 -c 'import socket, sys
s = socket.socket(); sys.exit(s.connect_ex(("127.0.0.1", ${PORT})) == 0)' || exit 1
    ls -A ~ /tmp /var/tmp /dev/shm /workspace; echo searched`;

async function found(options) {
    const { log, steps } = await job([script('searches', SEARCH,
        { timeout: '60s' })], options);

    must(steps.searches.outcome === 'passed' && /searched/.test(log),
        log.slice(-600));
}

async function beside() {
    let offered;
    const ready = new Promise((done) => { offered = done; });
    const first = job([script('offers', `${OFFER} 8`, { timeout: '60s' })],
        { onLog: (log) => /offered/.test(log) && offered() });

    await Promise.race([ready, first]);
    await found();
    const { log } = await first;
    must(/offered/.test(log), log.slice(-500));
    return 'nothing of it is seen';
}

async function behind() {
    const { log } = await job([script('offers', `${OFFER} 0`)]);

    must(/offered/.test(log), log.slice(-500));
    await found();
    return 'nothing of it is left';
}

// The same package, as in tests/integration/installs.sh: npm's own cache has it.
function makeApp() {
    const at = path.join(rig.work, 'app');
    const dir = rig.makeRepo((repo) => {
        fs.mkdirSync(`${at}/package`, { recursive: true });
        fs.writeFileSync(`${at}/package/package.json`,
            '{"name":"left","version":"1.0.0"}');
        fs.writeFileSync(`${at}/package/index.js`, 'module.exports = "good";');
        execFileSync('tar', ['czf', `${repo}/left.tgz`, '-C', at, 'package']);
        const hash = execFileSync('openssl', ['dgst', '-sha512', '-binary',
            `${repo}/left.tgz`]).toString('base64');
        const app = { name: 'app', version: '1.0.0',
            dependencies: { left: '1.0.0' } };
        fs.writeFileSync(`${repo}/package.json`, JSON.stringify(app));
        fs.writeFileSync(`${repo}/package-lock.json`, JSON.stringify({ ...app,
            dependencies: undefined, lockfileVersion: 3, requires: true,
            packages: { '': app, 'node_modules/left': { version: '1.0.0',
                resolved: 'https://registry.npmjs.org/left/-/left-1.0.0.tgz',
                integrity: `sha512-${hash}` } } }));
    });
    return dir;
}

let told = 0;

// run-job itself, as a worker starts it: berth run has members only.
function tell(repo, trust, change, steps) {
    const start = path.join(rig.work, `told${++told}.json`);

    fs.writeFileSync(start, JSON.stringify({ job_id: `told${told}`, epoch: 1,
        repo, commit: rig.git(repo, 'rev-parse', 'HEAD'), trust,
        branch: trust === 'fork' ? '' : 'main', base: 'main', change,
        ref: trust === 'fork' ? '' : 'refs/heads/main',
        pipeline: { name: 'told', steps: [{ checkout: {} },
            { run: 'npm cache add ./left.tgz >/dev/null' }, ...steps] } }));
    const done = spawnSync(process.execPath, [path.join(rig.root,
        'tests/lib/run_job.js'), path.resolve(rig.berth,
        '../../libexec/berth/run-job'), start], { timeout: 120000,
        env: { ...process.env, BERTH_STATE_DIR: rig.state } });
    return done.stdout.toString() + done.stderr;
}

const POISON = [
    { install: 'npm' },
    { run: 'echo \'module.exports = "bad";\' >node_modules/left/index.js; ' +
        'ls -d /workspace/node_modules/left; echo poisoned' }];
const USE = [{ install: 'npm' }, { run: 'node -p \'require("left")\'' }];

async function cacheOfFork() {
    const repo = makeApp();

    must(/poisoned/.test(tell(repo, 'fork', '7', POISON)), 'it did not run');
    const member = tell(repo, 'member', '', USE);
    const other = tell(repo, 'fork', '8', USE);
    must(/\$ npm ci/.test(member) && /good/.test(member) && !/bad/.test(member),
        member);
    must(/good/.test(other) && !/bad/.test(other), other);
    return 'nobody else reads it';
}

async function cacheOfMember() {
    const repo = makeApp();

    must(/poisoned/.test(tell(repo, 'member', '', POISON)), 'it did not run');
    const fork = tell(repo, 'fork', '9', [...POISON]);
    must(/from the cache/.test(fork), fork);
    const member = tell(repo, 'member', '', USE);
    must(/from the cache/.test(member) && /good/.test(member), member);
    return 'what is written is the job\'s own';
}

// What install scripts make is kept for the one who ran them.
async function cacheByScript() {
    const repo = makeApp();
    const steps = [{ run: 'mkdir -p ~/.cache node_modules; ' +
        'ln -sfn /etc node_modules/left; ln -sfn / node_modules/.bin; true' },
    ...USE];
    const first = tell(repo, 'fork', '10', steps);
    const next = tell(repo, 'member', '', USE);

    must(/good/.test(next) && !/root:x/.test(first + next), first + next);
    return 'links are not followed';
}

async function stateDirectory() {
    const odd = execFileSync('find', [rig.state, '-maxdepth', '1', '-mindepth',
        '1', '-type', 'd', '-perm', '/0006', '-printf', '%f ']).toString().trim();

    must(odd === '', `${odd} can be read by anybody`);
    return 'no directory in it is anybody\'s to read';
}

module.exports = { attacks: [
    { name: 'job-beside', why, attack: beside },
    { name: 'job-behind', why, attack: behind },
    { name: 'cache-of-fork', why: 'entries have an owner', attack: cacheOfFork },
    { name: 'cache-of-member', why: 'entries are only read',
        attack: cacheOfMember },
    { name: 'cache-links', why: 'they are copied by descriptor',
        attack: cacheByScript },
    { name: 'state-directory', why: 'modes of directories',
        attack: stateDirectory },
] };
