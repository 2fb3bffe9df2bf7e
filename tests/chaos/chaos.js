#!/usr/bin/env node
// tests/chaos/chaos.js - kill, stop and cut off everything; nothing is lost.
// SPDX-License-Identifier: Apache-2.0
//
// CHAOS_JOBS (200), CHAOS_SECONDS (90: how long it rages), CHAOS_SEED,
// CHAOS_CLOCKS (1; 0: no clock is wrong)
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { setTimeout: sleep } = require('timers/promises');
const { Redis } = require('../lib/redis.js');
const { Service, Proxy } = require('./cluster.js');
const { dice } = require('./dice.js');
const { Ledger } = require('./ledger.js');
const { traces } = require('./remains.js');

const JOBS = Number(process.env.CHAOS_JOBS || 200);
const SECONDS = Number(process.env.CHAOS_SECONDS || 90);
const SEED = Number(process.env.CHAOS_SEED || Date.now() % 100000);
const CLOCKS = process.env.CHAOS_CLOCKS !== '0';
const CALM_SECONDS = 150;
const LIMIT = 4;
const LEASE_MS = 6000;
const POOL = 'chaos';
const berth = process.env.BERTH_BIN;

delete process.env.BERTH_STATE_DIR; // it would win over state_dir
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-chaos-'));
fs.chmodSync(dir, 0o711); // sandboxes are entered by another user
const socket = path.join(dir, 'redis.sock');
const counts = {};
const count = (what) => { counts[what] = (counts[what] || 0) + 1; };

const { random, between, pick } = dice(SEED);

/* ---- the processes -------------------------------------------------------- */

const redisServer = new Service('redis', dir, [
    'redis-server', '--port', '0', '--unixsocket', socket, '--dir', dir,
    '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '',
    '--maxmemory-policy', 'noeviction'], {});

function config(name, redis) {
    const file = path.join(dir, `${name}.yml`);
    const stateDir = path.join(dir, name);
    fs.mkdirSync(stateDir, { mode: 0o711 });
    fs.writeFileSync(file, JSON.stringify({
        redis: { url: `unix://${redis}` },
        pool: { name: POOL, max_instances: LIMIT },
        lease: {
            duration: `${LEASE_MS / 1000}s`, renew: '1s', kill_after: '4s',
            kill_grace: '3s',
        },
        queue: {
            infrastructure_retries: 50, backoff: '1s', backoff_max: '3s',
        },
        worker: { name, capacity: 2, poll: '1s' },
        scheduler: { tick: '1s' },
        state_dir: stateDir,
    }));
    return file;
}

// Clocks that are wrong must not matter: time comes from Redis.
function clock(hours) {
    const lib = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
    const found = [lib, lib.replace('x86_64', 'aarch64')].find(fs.existsSync);
    if (!CLOCKS || !hours || !found)
        return {};
    count('clocks off by an hour');
    return {
        LD_PRELOAD: found, FAKETIME: `${hours > 0 ? '+' : ''}${hours}h`,
        FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '1',
    };
}

const proxies = new Map();
function service(kind, name, hours) {
    const listen = path.join(dir, `${name}.sock`);
    proxies.set(name, new Proxy(listen, socket));
    return new Service(name, dir,
        [berth, kind, '--config', config(name, listen)], clock(hours));
}

/* ---- what befalls them ------------------------------------------------------ */

const later = new Set(); // what undoes it

function after(ms, undo) {
    const timer = setTimeout(() => {
        later.delete(entry);
        undo();
    }, ms);
    const entry = { timer, undo };
    later.add(entry);
}

function restart(one, ms) {
    one.restarting = true;
    after(ms, () => {
        one.restarting = false;
        one.start();
    });
}

function kill(one, what) {
    if (!one.alive() || one.restarting)
        return;
    count(`${what} kill -9`);
    one.signal('SIGKILL');
    restart(one, between(0, 3000));
}

function stop(one, what) {
    if (!one.alive() || one.stopped)
        return;
    count(`${what} SIGSTOP`);
    one.signal('SIGSTOP');
    after(between(500, 2 * LEASE_MS), () => one.signal('SIGCONT'));
}

function part(name) {
    const proxy = proxies.get(name);
    if (proxy.cut)
        return;
    const how = pick(['hold', 'drop']);
    count(`connection ${how === 'hold' ? 'held' : 'dropped'}`);
    proxy.part(how);
    after(between(500, 2 * LEASE_MS), () => proxy.mend());
}

async function rage(workers, schedulers) {
    const until = Date.now() + SECONDS * 1000;
    let redisFrom = Date.now() + 10000;
    while (Date.now() < until) {
        await sleep(between(200, 1200));
        const dice = random();
        if (dice < 0.35) {
            kill(pick(workers), 'worker');
        } else if (dice < 0.55) {
            stop(pick(workers), 'worker');
        } else if (dice < 0.65) {
            kill(pick(schedulers), 'scheduler');
        } else if (dice < 0.72) {
            stop(pick(schedulers), 'scheduler');
        } else if (dice < 0.9) {
            part(pick([...proxies.keys()]));
        } else if (Date.now() > redisFrom) {
            kill(redisServer, 'redis');
            redisFrom = Date.now() + 15000;
        }
    }
    for (const { timer, undo } of [...later]) {
        clearTimeout(timer);
        undo();
    }
    later.clear();
}

/* ---- the work ----------------------------------------------------------------- */

function job(i, ledger) {
    const id = `c${SEED}-${i}`;
    const kind = i % 10;
    const run = kind === 3 ? 'exit 3' : kind < 6 ? 'true'
        : kind < 9 ? 'sleep 1' : 'sleep 5';
    const one = { steps: [{ run }] };
    const pipeline = { name: `k${kind}`, sandbox: { instance_type: 'lite' } };
    if (i % 25 === 24) {
        const matrix = { n: [1, 2, 3] };
        Object.assign(pipeline, {
            jobs: {
                build: { ...one, matrix },
                deploy: { needs: ['build'], steps: [{ run: 'true' }] },
            },
        });
    } else {
        Object.assign(pipeline, one);
    }
    ledger.expect(id, kind === 3 ? 'failed' : 'passed');
    return JSON.stringify({
        id, pipeline, priority: pick(['urgent', 'high', 'normal', 'low']),
        report: { forge: 'chaos' },
    });
}

// What was sent and not acknowledged is sent again: ids make that harmless.
async function submit(redis, ledger) {
    for (let i = 0; i < JOBS; i++) {
        const document = job(i, ledger);
        for (;;) {
            try {
                await redis.call('LPUSH', `berth:{${POOL}}:inbox`, document);
                break;
            } catch {
                await sleep(200);
            }
        }
        await sleep(SECONDS * 700 / JOBS);
    }
}

async function sampler(ledger, running) {
    const redis = new Redis(socket);
    while (running.on) {
        try {
            await ledger.sample(redis, dir);
        } catch {
            // Redis is down just now
        }
        await sleep(100);
    }
    redis.close();
}

async function calm(redis, ledger) {
    for (let i = 0; i < CALM_SECONDS; i++) {
        const left = await ledger.left(redis).catch(() => -1);
        if (left === 0)
            return;
        if (i % 10 === 0)
            console.log(`# ${left} jobs are left`);
        await sleep(1000);
    }
}

async function main() {
    const ledger = new Ledger(POOL);
    const running = { on: true };
    const redis = new Redis(socket);
    redisServer.start();
    await sleep(1000);
    const workers = [service('worker', 'w1', 0), service('worker', 'w2', 1),
        service('worker', 'w3', -1)];
    const schedulers = [service('scheduler', 's1', 0),
        service('scheduler', 's2', 1)];
    const all = [...workers, ...schedulers];
    all.forEach((one) => one.start());
    console.log(`# seed ${SEED}, ${JOBS} jobs, ${SECONDS} s, in ${dir}`);
    const sampling = sampler(ledger, running);
    await Promise.all([submit(redis, ledger), rage(workers, schedulers)]);
    await calm(redis, ledger);
    const wrong = await ledger.judge(redis);
    running.on = false;
    await sampling;

    for (const one of all)
        one.signal('SIGTERM');
    for (const one of all)
        if (!await one.ended(60000))
            wrong.push(`${one.name} did not end within 60 s of SIGTERM`);
    wrong.push(...traces(dir, [...ledger.expected.keys()],
        new Set([redisServer.child.pid]))
        .map((what) => `left behind: ${what}`));
    if (ledger.peak.slots > LIMIT)
        wrong.push(`${ledger.peak.slots} slots at once, over ${LIMIT}`);
    if (ledger.peak.sandboxes > LIMIT)
        wrong.push(`${ledger.peak.sandboxes} sandboxes at once, over ${LIMIT}`);
    await report(redis, ledger, wrong);
    redis.close();
    for (const proxy of proxies.values())
        proxy.close();
    redisServer.signal('SIGTERM');
    await redisServer.ended(10000);
    if (!wrong.length && !process.env.CHAOS_KEEP)
        fs.rmSync(dir, { recursive: true, force: true });
    process.exit(wrong.length ? 1 : 0);
}

async function report(redis, ledger, wrong) {
    let attempts = 0;
    for (const id of ledger.expected.keys())
        attempts += Number(await redis.call('HGET',
            `${ledger.prefix}job:${id}`, 'epoch')) || 0;
    for (const [what, n] of Object.entries(counts).sort())
        console.log(`chaos ${what}: ${n}`);
    console.log(`chaos jobs: ${JOBS}, attempts: ${attempts}, at most ` +
        `${ledger.peak.slots} slots and ${ledger.peak.sandboxes} sandboxes ` +
        `of ${LIMIT} at once`);
    for (const line of wrong.slice(0, 60))
        console.log(`# wrong: ${line}`);
    console.log(`${wrong.length ? 'not ' : ''}ok 1 - chaos with seed ${SEED}: ` +
        `${wrong.length} complaints`);
    console.log('1..1');
}

main();
