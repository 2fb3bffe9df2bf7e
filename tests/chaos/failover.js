#!/usr/bin/env node
// tests/chaos/failover.js - Sentinel and Cluster under load: what is lost.
// SPDX-License-Identifier: Apache-2.0
//
// FAILOVER_LOAD: the program tests/chaos/load.c; FAILOVER_JOBS (20000)
'use strict';
const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync } = require('child_process');
const { setTimeout: sleep } = require('timers/promises');
const { freePort } = require('../lib/free_port.js');
const { Redis } = require('../lib/redis.js');
const { Service } = require('./cluster.js');

const JOBS = Number(process.env.FAILOVER_JOBS || 20000);
const load = process.env.FAILOVER_LOAD;
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-failover-'));
const host = '127.0.0.1';
const started = [];
let tests = 0;
let failed = 0;

function ok(good, name) {
    tests++;
    failed += good ? 0 : 1;
    console.log(`${good ? '' : 'not '}ok ${tests} - ${name}`);
}

async function answers(port, limitMs) {
    const until = Date.now() + limitMs;
    for (;;) {
        const redis = new Redis({ host, port });
        const pong = await redis.call('PING').catch(() => null);
        redis.close();
        if (pong === 'PONG')
            return;
        assert(Date.now() < until, `nothing answers on port ${port}`);
        await sleep(50);
    }
}

async function until(is, limitMs, what) {
    const end = Date.now() + limitMs;
    while (!await is()) {
        assert(Date.now() < end, `in vain: ${what}`);
        await sleep(50);
    }
}

async function server(name, ...options) {
    const port = await freePort();
    const home = path.join(dir, name);
    fs.mkdirSync(home, { recursive: true });
    const service = new Service(name, dir, ['redis-server', '--port',
        String(port), '--bind', host, '--dir', home, '--save', '',
        '--appendonly', 'yes', '--appendfsync', 'everysec', ...options], {});
    service.port = port;
    service.start();
    started.push(service);
    await answers(port, 10000);
    return service;
}

async function sentinel(name, masterPort) {
    const port = await freePort();
    const file = path.join(dir, `${name}.conf`);
    fs.writeFileSync(file, [
        `port ${port}`, `bind ${host}`, `dir ${dir}`,
        `sentinel monitor berth ${host} ${masterPort} 2`,
        'sentinel down-after-milliseconds berth 1000',
        'sentinel failover-timeout berth 5000', ''].join('\n'));
    const service = new Service(name, dir,
        ['redis-server', file, '--sentinel'], {});
    service.port = port;
    service.start();
    started.push(service);
    await answers(port, 10000);
    return service;
}

// The load, and what of it was acknowledged.
function begin(url, pool, replicas, seconds) {
    const out = path.join(dir, `${pool}.out`);
    fs.writeFileSync(out, '');
    const service = new Service(`load-${pool}`, dir, ['sh', '-c',
        `exec '${load}' '${url}' ${pool} ${replicas} ${JOBS} ${seconds} >'${out}'`],
    {});
    service.start();
    started.push(service);
    return {
        service,
        // Until a part of it is through.
        async underWay(part) {
            while (service.alive() &&
                   this.acknowledged().submitted.length < JOBS * part)
                await sleep(50);
        },
        acknowledged() {
            const lines = fs.readFileSync(out, 'utf8').split('\n');
            return {
                submitted: lines.filter((l) => l.startsWith('submitted '))
                    .map((l) => l.slice(10)),
                completed: lines.filter((l) => l.startsWith('completed '))
                    .map((l) => l.slice(10)),
            };
        },
    };
}

const cli = (port, ...args) => execFileSync('redis-cli',
    ['-h', host, '-p', String(port), ...args], { encoding: 'utf8' }).trim();

async function missing(redis, pool, { submitted, completed }) {
    let lost = 0;
    let undone = 0;
    for (const id of submitted)
        lost += await redis.call('EXISTS', `berth:{${pool}}:job:${id}`) ? 0 : 1;
    for (const id of completed)
        undone += await redis.call('HGET', `berth:{${pool}}:job:${id}`,
            'state') === 'passed' ? 0 : 1;
    return { lost, undone };
}

async function stopAll() {
    for (const service of started) {
        service.signal('SIGCONT');
        service.signal('SIGKILL');
        await service.ended(5000);
    }
    started.length = 0;
}

/* ---- Sentinel ---------------------------------------------------------------- */

async function replicas(port) {
    const redis = new Redis({ host, port });
    for (;;) {
        const role = await redis.call('ROLE');
        if (role[0] === 'master' && role[2].length === 2)
            break;
        await sleep(100);
    }
    redis.close();
}

// Whether a sentinel knows both others and both replicas of the master.
function knows(port) {
    const said = cli(port, 'SENTINEL', 'MASTER', 'berth').split('\n');
    const value = (key) => said[said.indexOf(key) + 1];
    return value('num-other-sentinels') === '2' && value('num-slaves') === '2';
}

// Whom the sentinels agreed on, once it answers.
async function newMaster(sentinelPort, oldPort) {
    const redis = new Redis({ host, port: sentinelPort });
    for (const until = Date.now() + 30000; ;) {
        const [, port] = await redis.call('SENTINEL',
            'GET-MASTER-ADDR-BY-NAME', 'berth');
        if (Number(port) !== oldPort || Date.now() > until) {
            redis.close();
            await answers(Number(port), 10000);
            return Number(port);
        }
        await sleep(100);
    }
}

// The master dies while its replicas hear nothing: what only it has is gone.
async function failover(wait) {
    const pool = `sentinel${wait}`;
    const master = await server(`${pool}-m`);
    const copies = [];
    for (const n of [1, 2])
        copies.push(await server(`${pool}-r${n}`, '--replicaof', host,
            String(master.port)));
    const sentinels = [];
    for (const n of [1, 2, 3])
        sentinels.push(await sentinel(`${pool}-s${n}`, master.port));
    await replicas(master.port);
    for (const { port } of sentinels)
        await until(() => knows(port), 30000, 'sentinels find each other');
    const seeds = sentinels.map((s) => `${host}:${s.port}`).join(',');
    const work = begin(`redis+sentinel://${seeds}/berth`, pool, wait, 90);
    await work.underWay(0.1);
    for (const copy of copies)
        copy.signal('SIGSTOP');
    // What waits in their sockets would still reach them.
    cli(master.port, 'CLIENT', 'KILL', 'TYPE', 'replica');
    await sleep(300);
    master.signal('SIGKILL');
    const before = work.acknowledged().submitted.length;
    for (const copy of copies)
        copy.signal('SIGCONT');
    const finished = await work.service.ended(100000);
    const port = await newMaster(sentinels[0].port, master.port);
    const redis = new Redis({ host, port });
    const all = work.acknowledged();
    const { lost, undone } = await missing(redis, pool, all);
    redis.close();
    console.log(`failover sentinel wait ${wait}: ${all.submitted.length} ` +
        `submits and ${all.completed.length} completions acknowledged, ` +
        `${lost} and ${undone} lost`);
    ok(finished && before < JOBS && all.submitted.length === JOBS,
        `wait ${wait}: the load goes on at the new master`);
    if (wait)
        ok(lost === 0 && undone === 0,
            `wait ${wait}: nothing that was acknowledged is lost`);
    await stopAll();
}

/* ---- Cluster ------------------------------------------------------------------- */

// Move the pool's slot, keys and all, while it is in use.
function migrate(pool, masters) {
    const key = `berth:{${pool}}:conf`;
    const slot = cli(masters[0].port, 'CLUSTER', 'KEYSLOT', key);
    const ids = masters.map((m) => cli(m.port, 'CLUSTER', 'MYID'));
    const from = masters.findIndex((m) =>
        cli(m.port, 'CLUSTER', 'COUNTKEYSINSLOT', slot) !== '0');
    const to = (from + 1) % masters.length;
    cli(masters[to].port, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from]);
    cli(masters[from].port, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to]);
    let moved = 0;
    for (;;) {
        const keys = cli(masters[from].port, 'CLUSTER', 'GETKEYSINSLOT', slot,
            '200').split('\n').filter(Boolean);
        if (!keys.length)
            break;
        cli(masters[from].port, 'MIGRATE', host, String(masters[to].port), '',
            '0', '5000', 'KEYS', ...keys);
        moved += keys.length;
    }
    for (const at of [to, from, ...masters.keys()])
        cli(masters[at].port, 'CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]);
    return { moved, owner: masters[to] };
}

async function cluster() {
    const pool = 'cluster';
    const masters = [];
    for (const n of [1, 2, 3])
        masters.push(await server(`c${n}`, '--cluster-enabled', 'yes',
            '--cluster-config-file', 'nodes.conf', '--cluster-node-timeout',
            '3000'));
    execFileSync('redis-cli', ['--cluster', 'create',
        ...masters.map((m) => `${host}:${m.port}`), '--cluster-yes'],
    { stdio: 'ignore' });
    for (const { port } of masters)
        await until(() => cli(port, 'CLUSTER', 'INFO')
            .includes('cluster_state:ok'), 30000, 'the cluster is up');
    const seeds = masters.map((m) => `${host}:${m.port}`).join(',');
    const work = begin(`redis+cluster://${seeds}`, pool, 0, 90);
    await work.underWay(0.1);
    const { moved, owner } = migrate(pool, masters);
    await work.underWay(0.5);
    owner.signal('SIGKILL'); // and comes back with its append-only file
    await owner.ended(5000);
    await sleep(1000);
    owner.start();
    const finished = await work.service.ended(100000);
    await answers(owner.port, 10000);
    const redis = new Redis({ host, port: owner.port });
    const all = work.acknowledged();
    const { lost, undone } = await missing(redis, pool, all);
    redis.close();
    console.log(`failover cluster: ${moved} keys moved under load, ` +
        `${all.submitted.length} submits and ${all.completed.length} ` +
        `completions acknowledged, ${lost} and ${undone} lost`);
    ok(finished && all.submitted.length === JOBS && moved > 0,
        'the load goes on through a moved slot and a restarted master');
    ok(lost === 0 && undone === 0,
        'nothing that was acknowledged is lost');
    await stopAll();
}

async function main() {
    try {
        await failover(0);
        await failover(1);
        await cluster();
    } finally {
        await stopAll();
        fs.rmSync(dir, { recursive: true, force: true });
    }
    console.log(`1..${tests}`);
    process.exit(failed ? 1 : 0);
}

main();
