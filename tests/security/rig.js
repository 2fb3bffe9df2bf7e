// tests/security/rig.js - hostile jobs through berth run, and what came of them.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const { execFileSync, spawn } = require('child_process');
const fs = require('fs');
const path = require('path');

const root = path.resolve(__dirname, '../..');
const berth = process.env.BERTH_BIN ||
    path.join(root, 'build/debug/bin/berth');
const attack = path.resolve(berth, '../../tests/security/attack');
const TIMEOUT_MS = 240000;
const SANDBOX_ROOT = 1900000000;
const SANDBOX_USER = SANDBOX_ROOT + 1000;

// On a disk: what a tmpfs holds would count as somebody's memory; and in none of
// the directories that a sandbox has one of its own for.
const work = fs.mkdtempSync('/var/cache/berth-attack.');
fs.chmodSync(work, 0o711);
const state = path.join(work, 'state');
fs.mkdirSync(state, { mode: 0o711 });
const token = `attacked-${process.pid}-${Date.now().toString(36)}`;

// ---- jobs ---------------------------------------------------------------------

const git = (dir, ...args) => execFileSync('git', ['-C', dir,
    '-c', 'user.name=Test', '-c', 'user.email=test@example.org',
    '-c', 'protocol.file.allow=always', ...args],
{ stdio: ['ignore', 'pipe', 'pipe'] }).toString().trim();

let repositories = 0;

// fill(dir) puts files there, stage(dir) more into the index; all is committed.
function makeRepo(fill, stage = () => {}) {
    const dir = path.join(work, `repo${++repositories}`);
    fs.mkdirSync(dir);
    git(dir, 'init', '-q', '-b', 'main');
    fill(dir);
    git(dir, 'add', '-A');
    stage(dir);
    git(dir, 'commit', '-q', '--allow-empty', '-m', 'first');
    return dir;
}

const attackRepo = () => attackRepo.dir ||
    (attackRepo.dir = makeRepo((dir) => {
        fs.copyFileSync(attack, path.join(dir, 'attack'));
        fs.chmodSync(path.join(dir, 'attack'), 0o755);
    }));

let jobs = 0;

/*
 * Run a pipeline (text, or an object). options: repo, args, env, and runtime:
 * { name, words } of weaken.js. Gives { status, result, log }.
 */
function run(pipeline, options = {}) {
    const { name, words } = options.runtime || {};

    return name === 'docker' && words ?
        dockerWeak(words, () => start(pipeline, options)) :
        start(pipeline, options);
}

function start(pipeline, options) {
    const file = path.join(work, `job${++jobs}.yml`);
    const runtime = options.runtime || {};
    const args = ['run', '--json', '--no-color', '--verbose',
        '--repo', options.repo || attackRepo(), file, ...runtimeOf(runtime),
        ...(options.args || [])];
    const { promise, resolve } = promised();

    fs.writeFileSync(file, typeof pipeline === 'string' ? pipeline :
        JSON.stringify(pipeline));
    const child = spawn(berth, args, { stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, BERTH_STATE_DIR: state, ...options.env },
        timeout: TIMEOUT_MS });
    let out = '', log = '';

    child.stdout.on('data', (data) => { out += data; });
    child.stderr.on('data', (data) => {
        log = (log + data.toString('latin1')).slice(-(4 << 20));
        if (options.onLog)
            options.onLog(log, child);
    });
    child.on('close', (status) => {
        let result = null;
        try {
            result = JSON.parse(out);
        } catch { /* there is none */ }
        resolve({ status, result, log, pid: child.pid });
    });
    return promise;
}

function promised() {
    let resolve;
    const promise = new Promise((done) => { resolve = done; });
    return { promise, resolve };
}

// ---- runtimes -------------------------------------------------------------------

let docker = null; // { socket, image } once there is an engine

// A program that weakens, and becomes the runtime then; its name says which one
// it stands for. `words` is a word of shell.
function writeWrapper(program, words, name) {
    fs.mkdirSync(path.dirname(program), { recursive: true });
    fs.writeFileSync(program, '#!/bin/sh\ncase " $* " in\n' +
        `*" run "* | *" create "*) ATTACK_WORK='${work}' ` +
        `'${process.execPath}' '${path.join(__dirname, 'weaken.js')}' ` +
        `${words} "$@" 2>>'${work}/weaken.log' || exit 1 ;;\nesac\n` +
        `exec ${name} "$@"\n`, { mode: 0o755 });
}

function wrapper(name, words) {
    const program = path.join(work, 'runtimes', words, name);

    if (!fs.existsSync(program))
        writeWrapper(program, `'${words}'`, name);
    return program;
}

// What weaken.js said last, if anything.
function complaints() {
    const file = path.join(work, 'weaken.log');

    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').slice(-1000) : '';
}

function runtimeOf({ name, words }) {
    if (name === 'docker')
        return ['--driver', 'docker', ...(words ? ['--runtime', 'crun'] : [])];
    if (words)
        return ['--runtime', wrapper(name || 'crun', words)];
    return name ? ['--runtime', name] : [];
}

// The driver takes runtimes of two names only. So the engine calls ours `crun`,
// and one job at a time says in a file what it is to take away.
const wordsFile = path.join(work, 'words');
let weakJob = Promise.resolve();

function dockerWeak(words, make) {
    const done = weakJob.then(() => {
        fs.writeFileSync(wordsFile, words);
        return make();
    });

    weakJob = done.catch(() => {});
    return done;
}

function dockerUp() {
    const program = path.join(work, 'runtimes', 'docker');

    writeWrapper(program, `"$(cat '${wordsFile}')"`, 'runc');
    docker = { dir: path.join(work, 'docker') };
    fs.mkdirSync(docker.dir);
    execFileSync('bash', ['-c', '. tests/lib/tap.sh; . tests/lib/docker.sh; ' +
        'docker_up "$1" berth-sandbox "$2" && ' +
        'docker_import "$1" berth-test', 'sh', docker.dir,
        `--add-runtime=crun=${program}`],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, TEST_TMP: work } });
    process.env.BERTH_WORKER_REGISTRIES = 'docker.io';
    process.env.BERTH_WORKER_DOCKER_SOCKET = `${docker.dir}/docker.sock`;
}

function dockerDown() {
    if (docker)
        execFileSync('bash', ['-c', '. tests/lib/tap.sh; ' +
            '. tests/lib/docker.sh; docker_down "$1"', 'sh', docker.dir],
        { cwd: root, stdio: 'ignore', env: { ...process.env, TEST_TMP: work } });
    docker = null;
}

// ---- the table --------------------------------------------------------------------

const rows = [];

/*
 * One attack on one runtime: `held` is how it was kept out, or null; `shown`
 * how it got in without the protection, null when it did not, or undefined when
 * nobody tried, which `why` explains.
 */
function record(runtime, name, held, without, shown, why) {
    const good = held !== null && shown !== null;
    rows.push({ runtime, name, held, without, shown, why, good });
    if (!good || process.env.ATTACK_VERBOSE)
        console.log(`${good ? '# ' : '#! '}${runtime} ${name}: ` +
            `${held === null ? `NOT HELD ${why || ''}` : held}` +
            (shown === null ? `; still held without ${without}: ${why}` : ''));
    return good;
}

// What the words of weaken.js take away, in the table.
const SAID = { root: 'commands\' few rights', userns: 'a user namespace',
    net: 'a network namespace', pid: 'a pid namespace', ipc: 'an IPC namespace',
    uts: 'a UTS namespace', binds: 'its own files', devices: 'its own /dev',
    procfs: 'its own /proc', sysfs: 'a hidden /sys', masks: 'masked paths',
    'readonly-paths': 'read-only paths', rootfs: 'a read-only root',
    disk: 'its own disk', shm: 'a bound of /dev/shm' };

const phrase = (words) => words.split(' ').map((word) => SAID[word] || word)
    .join(', ');

const effect = (row) => row.shown === undefined ? `not shown: ${row.why}` :
    row.shown === null ? `NOT, even without ${phrase(row.without)}` :
        `without ${phrase(row.without)}`;

function tap() {
    console.log(`1..${rows.length}`);
    rows.forEach((row, i) => console.log(`${row.good ? '' : 'not '}ok ` +
        `${i + 1} - ${row.runtime} ${row.name}: held by ` +
        `${row.held === null ? 'NOTHING' : row.held}` +
        (row.shown === undefined ? '' : `, gets in ${effect(row)}`)));
}

function table() {
    const wide = (text, width) => String(text).padEnd(width);
    let last;

    if (process.env.ATTACK_TAP)
        tap();
    for (const row of process.env.ATTACK_TAP ? [] : rows) {
        if (row.runtime !== last)
            console.log(`\n${wide(row.runtime, 26)} ${wide('held by', 34)} ` +
                'gets in');
        last = row.runtime;
        console.log(`${wide(row.name, 26)} ${wide(row.held === null ?
            'NOTHING' : row.held, 34)} ${effect(row)}`);
    }
    const names = new Set(rows.map((row) => row.name));
    const shown = new Set(rows.filter((row) => row.shown).map((row) => row.name));
    const bad = rows.filter((row) => !row.good);
    console.log(`\n# ${names.size} attacks, ${rows.length} tries: ` +
        `${rows.length - bad.length} as they should be, ${bad.length} not; ` +
        `${shown.size} attacks get in without the protection`);
    return { names: names.size, shown: shown.size, bad };
}

module.exports = { root, berth, work, state, token, git, makeRepo, attackRepo,
    run, record, rows, table,
    complaints, dockerUp, dockerDown, SANDBOX_ROOT, SANDBOX_USER };
