// tests/chaos/ledger.js - what must be true after chaos, and all along.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const path = require('path');
const { innerPid, process_ } = require('./remains.js');

const lua = path.join(__dirname, '../../scheduler/queue/lua');

function script(name, ...pieces) {
    return [...pieces.map((piece) => `lib/${piece}`), name]
        .map((file) => fs.readFileSync(path.join(lua, `${file}.lua`), 'utf8'))
        .join('');
}
const AUDIT = script('audit', 'pool', 'lanes', 'slots', 'reports');

// Sandboxes that live on this host: the pids 1 of berth's below `dir`.
function liveSandboxes(dir) {
    let count = 0;
    for (const pid of fs.readdirSync('/proc')) {
        if (!/^\d+$/.test(pid))
            continue;
        try {
            const inner = innerPid(pid);
            if (inner.length !== 2 || inner[1] !== '1' || process_(pid)?.zombie)
                continue;
            if (fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(dir))
                count++;
        } catch {
            // it ended meanwhile
        }
    }
    return count;
}

class Ledger {
    constructor(pool) {
        this.prefix = `berth:{${pool}}:`;
        this.expected = new Map(); // id → the state it must end in, and why
        this.peak = { slots: 0, sandboxes: 0 };
    }

    // `reason`: '' for any.
    expect(id, state, reason = '') {
        this.expected.set(id, { state, reason });
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
        // No host is behind the reports: they wait, or were refused. In this
        // order: from the one they go into the other.
        const reported = new Set();
        for (const set of ['outbox:other', 'unreported'])
            for (const id of await redis.call('ZRANGE',
                `${this.prefix}${set}`, 0, -1))
                reported.add(id);
        for (const [id, wanted] of this.expected) {
            const [state, reason, epoch, kind, rev] = await redis.call('HMGET',
                `${this.prefix}job:${id}`, 'state', 'reason', 'epoch', 'kind',
                'report_rev');
            // It came; each lease began once, and ended once.
            const changes = kind === 'run' ? 3 : 1 + 2 * epoch;
            if (state !== wanted.state ||
                (wanted.reason && reason !== wanted.reason))
                wrong.push(`job ${id} (epoch ${epoch}) is ${state} ` +
                    `(${reason}), not ${wanted.state} (${wanted.reason})`);
            if (Number(rev) !== changes)
                wrong.push(`job ${id} (epoch ${epoch}) changed ${rev} times, ` +
                    `not ${changes}`);
            if (!reported.has(id))
                wrong.push(`job ${id} is not to be reported`);
        }
        for (const id of reported)
            if (!this.expected.has(id))
                wrong.push(`job ${id} ended, and nobody submitted it`);
        wrong.push(...await redis.call('EVAL', AUDIT, 1, this.prefix, 50));
        return wrong;
    }
}

module.exports = { Ledger };
