#!/usr/bin/env node
// tests/chaos/hosts.js - whatever befalls berth and a Git host, in the end it
// shows what it should, once.
// SPDX-License-Identifier: Apache-2.0
//
// HOSTS_CHANGES (8), HOSTS_KIND (github, gitlab, gitea; all three in turn),
// HOSTS_SEEDS (1: how many, from HOSTS_SEED), HOSTS_SECONDS (900: at most, each),
// HOSTS_KEEP: do not remove its directory
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { Hosts, FINDING, until, pause } = require('../lib/hosts_world');
const { dice } = require('./dice');
const { children, process_ } = require('./remains');

const CHANGES = Number(process.env.HOSTS_CHANGES || 8);
const KINDS = process.env.HOSTS_KIND ? [process.env.HOSTS_KIND]
    : ['github', 'gitlab', 'gitea'];
const SEED = Number(process.env.HOSTS_SEED || Date.now() % 100000);
const SEEDS = Number(process.env.HOSTS_SEEDS || 1);
const SECONDS = Number(process.env.HOSTS_SECONDS || 900);
const REPO = 'acme/notes';
const ENDED = ['passed', 'failed', 'cancelled', 'dead'];

const PIPELINE = `on: change
sandbox: { image: host, instance_type: lite }
steps:
  - checkout:
  - run: cat report.json
    results: eslint
`;
const LINES = Array.from({ length: 20 }, (_, i) => `line ${i + 1}`);

class Run {
    constructor(kind, seed) {
        Object.assign(this, { kind, seed, ...dice(seed), counts: {}, wrong: [],
            wanted: new Map(), pushes: new Map() });
    }

    count(what) {
        this.counts[what] = (this.counts[what] || 0) + 1;
    }

    async setUp(tmp) {
        const world = await Hosts.make({ tmp, kind: this.kind, schedulers: 2,
            workers: 1, validate: this.kind === 'github', config: {
                webhooks: { reconcile: '3s' },
                // Sandboxes die with those who hold them, so soon.
                worker: { lease: { duration: '6s', renew: '1s', kill_after: '4s',
                    kill_grace: '1s' } } } });
        this.world = world;
        await world.addRepo(REPO, { permissions: { dev: 'write' } });
        await world.call('commit', { repo: REPO, branch: 'main',
            files: { '.berth/test.yml': PIPELINE, 'report.json': '[]' } });
        await world.start();
        world.call('chaos', { seed: this.seed, rate: 0.15 });
    }

    // ---- the work ----------------------------------------------------------

    // Another commit; what is found in it is all that is to be shown.
    async push(i) {
        const { world, random } = this;
        const number = i + 1;
        const found = [2, 6, 11, 17].filter(() => random() < 0.6);
        const file = `c${i}.js`;
        const report = [{ filePath: `/workspace/${file}`,
            messages: found.map((line) => ({ ruleId: `r${line}`, severity: 1,
                message: `line ${line} is wrong`, line, column: 1 })) }];
        const serial = (this.pushes.get(number) || 0) + 1;
        const before = world.change(REPO, number)?.head_sha;
        await world.call('commit', { repo: REPO, branch: `c${i}`,
            ...(before ? {} : { from: 'main' }), files: { [file]:
                LINES.join('\n') + '\n', 'report.json': JSON.stringify(report),
            serial: `${serial}` } });
        if (!before)
            await world.call('addChange', { repo: REPO, head: `c${i}`,
                author: 'dev' });
        this.wanted.set(number, found);
        this.pushes.set(number, serial);
        this.count('pushes');
        const lost = random() < 0.15;
        if (lost)
            this.count('webhooks lost');
        world.hook();
        await world.call('emit', { what: before ? 'updated' : 'opened', repo: REPO,
            number, before, lost });
    }

    async redeliver() {
        const { deliveries } = this.world.fake.hooks;
        if (!deliveries.length)
            return;
        this.world.hook();
        this.count('redeliveries');
        await this.world.call('redeliver', { id: this.pick(deliveries).id });
    }

    // ---- what befalls it ------------------------------------------------------

    async killService(name) {
        const service = this.world.the(name);
        service.signal('SIGKILL');
        await service.ended(10000);
        this.count(`kill -9 of ${name[0] === 's' ? 'schedulers' : 'workers'}`);
        await pause(this.between(0, 1500));
        service.start();
        if (name[0] === 's')
            await this.world.listens(service);
    }

    killForge() {
        const all = ['s1', 's2'].flatMap((s) =>
            children(this.world.the(s).child.pid))
            .filter((pid) => process_(pid)?.name === 'forge');
        if (!all.length)
            return;
        try {
            process.kill(this.pick(all), 'SIGKILL');
            this.count('kill -9 of forge');
        } catch {
            // It has ended.
        }
    }

    async killRedis() {
        const { world } = this;
        world.redisServer.signal('SIGKILL');
        await world.redisServer.ended(10000);
        world.redis.close();
        await world.connect();
        this.count('restarts of Redis');
    }

    async rage() {
        const what = [() => this.killForge(), () => this.killForge(),
            () => this.killForge(), () => this.redeliver(),
            () => this.redeliver(), () => this.killService('s1'),
            () => this.killService('s2'), () => this.killService('w1'),
            () => this.killRedis()];
        while (this.raging) {
            await this.pick(what)();
            await pause(this.between(100, 1200));
        }
    }

    async all() {
        const late = Date.now() + SECONDS * 1000;
        this.raging = true;
        const rage = this.rage();
        const left = Array.from({ length: CHANGES * 3 }, (_, i) => i % CHANGES);
        for (const i of left) {
            await this.push(i);
            await pause(this.between(100, 1500));
        }
        this.raging = false;
        await rage;
        await until('all to be as it should', () => this.isDone(),
            Math.max(60000, late - Date.now()));
        this.world.call('clearFaults');
        await this.settle();
    }

    // A job for each head that ended, and nothing to be told.
    async isDone() {
        for (const number of this.wanted.keys()) {
            const { head_sha: sha } = this.world.change(REPO, number);
            const jobs = await this.world.jobs(REPO, number);
            if (!jobs.some((j) => j.about.commit === sha) ||
                !jobs.every((j) => ENDED.includes(j.state)))
                return false;
        }
        return this.world.isQuiet();
    }

    // What else there is to be done shows in the next rounds.
    async settle() {
        for (let i = 0; i < 3; i++) {
            await pause(1500);
            await until('it to stay', () => this.isDone(), 60000);
        }
    }

    // ---- how it is ----------------------------------------------------------------

    async check() {
        const { world, wrong } = this;
        for (const [number, lines] of this.wanted) {
            const say = (what, ...more) => wrong.push(`${this.kind} change ` +
                `${number}: ${what} ${JSON.stringify(more)}`);
            await this.checkChecks(number, say);
            const threads = world.threads(REPO, number);
            const open = threads.map((t) => Number(/line (\d+) is wrong/
                .exec(t.notes[0].body)?.[1])).sort((a, b) => a - b);
            if (open.join() !== lines.join())
                say('comments', open, lines);
            const prints = world.threads(REPO, number, false)
                .map((t) => FINDING.exec(t.notes[0].body)[1]);
            if (new Set(prints).size !== prints.length)
                say('a finding has several comments', prints);
            const ever = prints.length > 0;
            const summaries = world.summaries(REPO, number).length;
            if (summaries > 1 || (ever && !summaries))
                say('summaries', summaries);
        }
        await this.checkHost();
    }

    // One for each job that was told of, and the last says how it ended.
    async checkChecks(number, say) {
        const { world } = this;
        for (const job of await world.jobs(REPO, number)) {
            const all = world.checks(REPO, job.about.commit);
            if (this.kind === 'github') {
                const mine = all.filter((c) => c.external_id === job.id);
                if (mine.length !== 1 || mine[0].status !== 'completed')
                    say('checks', job.id, job.state, mine);
            } else if (['pending', 'running'].includes(all.at(-1)?.state)) {
                say('statuses', job.id, job.state, all);
            }
        }
        const { head_sha: sha } = world.change(REPO, number);
        const last = world.checks(REPO, sha).at(-1);
        if ((last?.conclusion || last?.state) !== 'success')
            say('the head\'s check', last);
        const jobs = await world.jobs(REPO, number);
        const same = jobs.filter((j) => j.about.commit === sha);
        if (same.length !== 1)
            say('jobs of the head', same.map((j) => [j.id, j.state]));
    }

    async checkHost() {
        const { world, wrong } = this;
        const { counts, violations, broken } = world.fake;
        for (const one of [...violations, ...broken])
            wrong.push(`${this.kind}: ${JSON.stringify(one).slice(0, 600)}`);
        // With a fault the host did nothing; all else is to be fine.
        const refused = world.fake.requests.filter((r) => r.status >= 400 &&
            !r.fault && !r.git &&
            // It has that state: an answer to somebody who was killed is lost.
            !(this.kind === 'gitlab' && r.status === 400 &&
                /statuses/.test(r.path)));
        for (const r of refused)
            wrong.push(`${this.kind}: refused ${r.method} ${r.path} ${r.status}`);
        if (this.kind === 'github' && (counts.close_writes ||
            counts.concurrent_writes))
            wrong.push(`writes too close: ${counts.close_writes}, at once: ` +
                `${counts.concurrent_writes} ` + JSON.stringify(
                world.fake.requests.filter((r, i, all) => r.close ||
                    all[i + 1]?.close).map((r) => [r.at % 1e7, r.method, r.path])
                    .slice(0, 12)));
        const given = Number(await world.redis.call('ZCARD',
            world.key('unreported')));
        if (given)
            wrong.push(`${this.kind}: ${given} were given up`);
    }
}

async function one(kind, seed) {
    const tmp = fs.mkdtempSync(path.join(process.env.TEST_TMP || os.tmpdir(),
        'berth-hosts-'));
    fs.chmodSync(tmp, 0o711);
    const run = new Run(kind, seed);
    const began = Date.now();
    try {
        await run.setUp(tmp);
        await run.all();
        await run.check();
        await run.world.stop();
    } catch (error) {
        run.wrong.push(error.stack);
        run.world?.fake.stop().catch(() => {});
    }
    run.raging = false;
    for (const service of [...run.world?.all || [], run.world?.redisServer])
        service?.signal('SIGKILL');
    for (const [what, n] of Object.entries(run.counts).sort())
        console.log(`# ${kind} ${what}: ${n}`);
    console.log(`# ${kind}: ${run.world?.fake.requests.length} requests, ` +
        `${run.world?.fake.faults.done.length} faults, ` +
        `${Math.round((Date.now() - began) / 1000)} s`);
    for (const line of run.wrong.slice(0, 40))
        console.log(`# wrong: ${line}`);
    if (process.env.HOSTS_KEEP || run.wrong.length)
        console.log(`# ${tmp}`);
    else
        fs.rmSync(tmp, { recursive: true, force: true });
    return run.wrong.length;
}

async function main() {
    let count = 0;
    let bad = 0;
    for (let seed = SEED; seed < SEED + SEEDS; seed++)
        for (const kind of KINDS) {
            const wrong = await one(kind, seed);
            bad += wrong > 0;
            console.log(`${wrong ? 'not ' : ''}ok ${++count} - ${kind}, seed ` +
                `${seed}: ${wrong} complaints`);
        }
    console.log(`1..${count}`);
    process.exit(bad ? 1 : 0);
}

main();
