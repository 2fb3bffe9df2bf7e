#!/usr/bin/env node
// tests/chaos/kill.js - kill -9 of all that is part of a sandbox; nothing is
// left of it after the worker's next start, and what is cached is intact.
// SPDX-License-Identifier: Apache-2.0
//
// KILL_JOBS (200), KILL_AT_A_TIME (8), KILL_SEED, KILL_SECONDS (900: at most)
// KILL_KEEP: do not remove its directory
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { setTimeout: sleep } = require('timers/promises');
const { Redis } = require('../lib/redis.js');
const { Service } = require('./cluster.js');
const { dice } = require('./dice.js');
const { World } = require('./kill_jobs.js');
const { Ledger } = require('./ledger.js');
const {
    Photograph, children, descendants, innerPid, lines, process_, traces,
} = require('./remains.js');

const JOBS = Number(process.env.KILL_JOBS || 200);
const AT_A_TIME = Number(process.env.KILL_AT_A_TIME || 8);
const SECONDS = Number(process.env.KILL_SECONDS || 900);
const SEED = Number(process.env.KILL_SEED || Date.now() % 100000);
const QUIET_MS = 60000; // a worker's, to clear away what it found
const POOL = 'kill';
const { random, between, pick } = dice(SEED);

delete process.env.BERTH_STATE_DIR; // it would win over state_dir
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-kill-'));
fs.chmodSync(dir, 0o711); // sandboxes are entered by another user
const state = path.join(dir, 'w');
const socket = path.join(dir, 'redis.sock');
const prefix = `k${process.pid}-`;
const wrong = [];
const counts = {};
const count = (what, n = 1) => { counts[what] = (counts[what] || 0) + n; };

const world = new World(dir, { random, between, pick });
const redisServer = new Service('redis', dir, ['redis-server', '--port', '0',
    '--unixsocket', socket, '--dir', dir, '--save', ''], {});

function service(kind) {
    const file = path.join(dir, `${kind}.yml`);
    fs.writeFileSync(file, JSON.stringify({
        redis: { url: `unix://${socket}` },
        pool: { name: POOL, max_instances: AT_A_TIME },
        lease: {
            duration: '20s', renew: '2s', kill_after: '12s', kill_grace: '3s',
        },
        queue: {
            infrastructure_retries: 100, backoff: '1s', backoff_max: '1s',
        },
        worker: {
            name: 'w', capacity: AT_A_TIME, poll: '1s', min_disk: '1KiB',
            min_memory: '1KiB', warm_pool: { 'standard-1': 1 },
        },
        cache: { bytes: '30MiB' }, // something has to go
        gateway: { allow_addresses: ['127.0.0.1'] },
        scheduler: { tick: '1s' },
        state_dir: state,
    }));
    return new Service(kind, dir,
        [process.env.BERTH_BIN, kind, '--config', file], {});
}
const worker = service('worker');
const scheduler = service('scheduler');

/* ---- who is killed ----------------------------------------------------------- */

const runJobs = () => children(worker.child.pid)
    .filter((pid) => process_(pid)?.name === 'run-job');
const named = (...names) => runJobs().flatMap(children)
    .filter((pid) => names.includes(process_(pid)?.name));

// Those who live for a moment are waited for.
const VICTIMS = [
    { name: 'run-job', of: runJobs },
    { name: 'runtime', of: () => named('crun', 'runc') },
    { name: 'launch', of: () => named('launch'), hunt: true },
    { name: 'agent', of: () => runJobs().flatMap(descendants).filter((pid) => {
        const inner = innerPid(pid);
        return inner.length > 1 && inner.at(-1) === '1';
    }) },
    { name: 'gateway', of: () => named('gateway') },
    { name: 'checkout', of: () => named('checkout'), hunt: true },
    { name: 'cache', of: () => named('cache'), hunt: true },
];

function killOne(pid, start) {
    if (process_(pid)?.start !== start)
        return false;
    try {
        return process.kill(pid, 'SIGKILL');
    } catch {
        return false; // it has ended
    }
}

async function shoot({ name, of, hunt }) {
    const until = Date.now() + (hunt ? 2500 : 0);
    let found = of();
    while (!found.length && Date.now() < until && worker.alive()) {
        await sleep(3);
        found = of();
    }
    if (!found.length)
        return;
    const victim = process_(pick(found));
    if (hunt)
        await sleep(between(0, 10));
    if (victim && killOne(victim.pid, victim.start))
        count(`${name} kill -9`);
}

// So that they are made again, and some of those who make them killed.
function forgetDisks() {
    const disks = path.join(state, 'disks');
    for (const name of fs.existsSync(disks) ? fs.readdirSync(disks) : [])
        if (/^ext4-\d+$/.test(name) && random() < 0.5)
            fs.unlinkSync(path.join(disks, name));
}

// Alone, with some of its run-jobs, or all at once, as when a service is killed.
// Nothing of what there was may be there when its successor is at work.
async function killWorker() {
    const share = pick([0, 0.5, 1]);
    const photograph = new Photograph(worker.child.pid, state);
    worker.signal('SIGKILL');
    for (const { pid, start, name } of photograph.processes)
        if ((share === 1 || name === 'run-job') && random() < share)
            killOne(pid, start);
    count(`worker kill -9${['', ', with half of its run-jobs',
        ', with all its processes'][share * 2]}`);
    count('sandboxes of killed workers', photograph.sandboxes.length);
    await worker.ended(10000);
    forgetDisks();
    await sleep(between(0, 1000));
    worker.start();
    const until = Date.now() + QUIET_MS;
    let left = photograph.left();
    while (left.length && Date.now() < until) {
        await sleep(200);
        left = photograph.left();
    }
    wrong.push(...left.map((what) => `left after the next start: ${what}`));
}

async function rage(left) {
    const until = Date.now() + SECONDS * 1000;
    let workerFrom = Date.now() + between(500, 2500);
    while (left() && Date.now() < until) {
        if (Date.now() > workerFrom) {
            await killWorker();
            workerFrom = Date.now() + between(2000, 6000);
        } else {
            await shoot(pick(VICTIMS));
        }
        await sleep(between(50, 700));
    }
}

/* ---- the work ---------------------------------------------------------------- */

async function submitOne(redis, ledger, id, n) {
    const job = world.job(id, n);
    ledger.expect(job.id, job.state, job.reason);
    await redis.call('LPUSH', `berth:{${POOL}}:inbox`, job.text);
}

// Some wait at any time, and the repository grows meanwhile.
async function submit(redis, ledger, watch) {
    for (let i = 0; i < JOBS; i++) {
        while (i - watch.ended > 2 * AT_A_TIME)
            await sleep(50);
        if (world.commits.length < Math.min(40, 3 + i / 5))
            world.grow();
        await submitOne(redis, ledger, `${prefix}${i}`, i);
    }
}

const ended = async (watch, jobs) => {
    for (const until = Date.now() + 60000;
        watch.ended < jobs && Date.now() < until;)
        await sleep(200);
};

async function answers() {
    for (let i = 0; i < 600; i++) {
        const redis = new Redis(socket);
        const pong = await redis.call('PING').catch(() => null);
        if (pong === 'PONG')
            return redis;
        redis.close();
        await sleep(50);
    }
    throw new Error('there is no redis');
}

// How many have ended, kept up to date while `watch.on`.
async function watching(redis, ledger, watch) {
    while (watch.on) {
        const known = ledger.expected.size;
        watch.ended = known - await ledger.left(redis);
        await sleep(200);
    }
}

function checkCaches() {
    const found = lines('unshare', '-m', process.execPath,
        path.join(__dirname, 'caches.js'), state, world.repo, world.package);
    const summary = found.pop() || '';
    if (!/^looked at [1-9]\d* trees.* [1-9]\d* installs, [1-9]\d* mirrors, [1-9]/
        .test(summary))
        found.push(`not all caches are there: ${summary}`);
    console.log(`kill ${summary}`);
    return found.map((line) => `cache: ${line}`);
}

async function end() {
    for (const one of [worker, scheduler])
        one.signal('SIGTERM');
    for (const one of [worker, scheduler])
        if (!await one.ended(30000))
            wrong.push(`${one.name} did not end within 30 s of SIGTERM`);
    wrong.push(...traces(dir, [prefix], new Set([redisServer.child.pid]))
        .map((what) => `left in the end: ${what}`));
    wrong.push(...checkCaches());
}

async function report(redis, ledger, began) {
    let attempts = 0;
    for (const id of ledger.expected.keys())
        attempts += Number(await redis.call('HGET',
            `${ledger.prefix}job:${id}`, 'epoch')) || 0;
    for (const [what, n] of Object.entries(counts).sort())
        console.log(`kill ${what}: ${n}`);
    console.log(`kill jobs: ${JOBS}, ${AT_A_TIME} at a time, attempts: ` +
        `${attempts}, ${Math.round((Date.now() - began) / 1000)} s`);
    for (const line of wrong.slice(0, 60))
        console.log(`# wrong: ${line}`);
    console.log(`${wrong.length ? 'not ' : ''}ok 1 - kill -9 with seed ${SEED}: ` +
        `${wrong.length} complaints`);
    console.log('1..1');
}

async function main() {
    const began = Date.now();
    const ledger = new Ledger(POOL);
    const watch = { on: true, ended: 0 };
    fs.mkdirSync(state, { mode: 0o711 });
    await world.make();
    redisServer.start();
    const redis = await answers();
    console.log(`# seed ${SEED}, ${JOBS} jobs, in ${dir}`);
    scheduler.start();
    worker.start();
    const watched = watching(redis, ledger, watch);
    const submitted = submit(redis, ledger, watch);
    await rage(() => watch.ended < JOBS);
    await submitted;
    await ended(watch, JOBS);
    // Each that was to be stored may have been killed: once in peace.
    await submitOne(redis, ledger, `${prefix}${JOBS}`, World.INSTALL);
    await ended(watch, JOBS + 1);
    await killWorker(); // the last time: what waits in the pool is there
    watch.on = false;
    await watched;
    wrong.push(...await ledger.judge(redis));
    await end();
    await report(redis, ledger, began);
    redis.close();
    world.close();
    redisServer.signal('SIGTERM');
    await redisServer.ended(10000);
    if (!wrong.length && !process.env.KILL_KEEP)
        fs.rmSync(dir, { recursive: true, force: true });
    process.exit(wrong.length ? 1 : 0);
}

if (process.getuid() !== 0) {
    console.log('ok 1 - kill -9 # SKIP only root has cgroups and layers');
    console.log('1..1');
} else {
    main().catch((error) => {
        for (const one of [worker, scheduler, redisServer])
            one.signal('SIGKILL');
        throw error;
    });
}
