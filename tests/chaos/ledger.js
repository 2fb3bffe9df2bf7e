// tests/chaos/ledger.js - what must be true after chaos, and all along.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const path = require('path');
const { execFileSync } = require('child_process');

const lua = path.join(__dirname, '../../scheduler/queue/lua');

function script(name, ...pieces) {
    return [...pieces.map((piece) => `lib/${piece}`), name]
        .map((file) => fs.readFileSync(path.join(lua, `${file}.lua`), 'utf8'))
        .join('');
}
const AUDIT = script('audit', 'pool', 'lanes', 'slots');

// Sandboxes that live on this host: the pids 1 of berth's below `dir`, by the
// runtime's name of their cgroup or the agent's program.
function liveSandboxes(dir) {
    let count = 0;
    for (const pid of fs.readdirSync('/proc')) {
        if (!/^\d+$/.test(pid))
            continue;
        try {
            const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
            const inner = /^NSpid:\t\d+\t(\d+)$/m.exec(status);
            if (!inner || inner[1] !== '1' || /^State:\s+Z/m.test(status))
                continue;
            if (fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(dir))
                count++;
        } catch {
            // it ended meanwhile
        }
    }
    return count;
}

function lines(command, ...args) {
    try {
        return execFileSync(command, args, { encoding: 'utf8' })
            .split('\n').filter(Boolean);
    } catch (error) {
        return String(error.stdout || '').split('\n').filter(Boolean);
    }
}

// Processes, mounts, loop devices, cgroups and directories of sandboxes.
function traces(dir, ids) {
    const found = [];
    found.push(...lines('pgrep', '-af', `${dir}/`)
        .filter((line) => !/chaos\.js|pgrep|redis-server/.test(line)));
    found.push(...fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
        .filter((line) => line.includes(`${dir}/`)));
    found.push(...lines('losetup', '-a').filter((line) => line.includes(dir)));
    found.push(...lines('find', '/sys/fs/cgroup', '-type', 'd')
        .filter((line) => ids.some((id) => line.includes(id))));
    for (const state of fs.readdirSync(dir)) {
        for (const sub of ['sandboxes', 'leases', 'spool']) {
            const folder = path.join(dir, state, sub);
            if (fs.existsSync(folder))
                found.push(...fs.readdirSync(folder)
                    .map((name) => path.join(folder, name)));
        }
    }
    return found;
}

class Ledger {
    constructor(pool) {
        this.prefix = `berth:{${pool}}:`;
        this.expected = new Map(); // id → the state it must end in
        this.peak = { slots: 0, sandboxes: 0 };
    }

    expect(id, state) {
        this.expected.set(id, state);
    }

    async left(redis) {
        let left = 0;
        for (const id of this.expected.keys()) {
            const ended = await redis.call('HGET', `${this.prefix}job:${id}`,
                'ended_at_ms');
            left += ended ? 0 : 1;
        }
        return left;
    }

    async sample(redis, dir) {
        const slots = await redis.call('ZCARD', `${this.prefix}slots`);
        this.peak.slots = Math.max(this.peak.slots, slots);
        this.peak.sandboxes = Math.max(this.peak.sandboxes, liveSandboxes(dir));
    }

    // Every complaint is a line; none is good.
    async judge(redis) {
        const wrong = [];
        const ends = new Map();
        for (const entry of await redis.call('ZRANGE',
            `${this.prefix}outbox`, 0, -1)) {
            const id = entry.split(':')[0];
            ends.set(id, (ends.get(id) || 0) + 1);
        }
        for (const [id, wanted] of this.expected) {
            const [state, reason, epoch] = await redis.call('HMGET',
                `${this.prefix}job:${id}`, 'state', 'reason', 'epoch');
            if (state !== wanted)
                wrong.push(`job ${id} (epoch ${epoch}) is ${state} ` +
                    `(${reason}), not ${wanted}`);
            if (ends.get(id) !== 1)
                wrong.push(`job ${id} ended ${ends.get(id) || 0} times`);
        }
        for (const id of ends.keys())
            if (!this.expected.has(id))
                wrong.push(`job ${id} ended, and nobody submitted it`);
        wrong.push(...await redis.call('EVAL', AUDIT, 1, this.prefix, 50));
        return wrong;
    }
}

module.exports = { Ledger, traces };
