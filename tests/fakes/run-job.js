#!/usr/bin/env node
// tests/fakes/run-job.js - a stand-in that does what its job's inputs.fake says.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const path = require('path');

const FRAME = {
    START: 1, DEADLINE: 2, CANCEL: 3, PREPARE: 4, STEP_START: 16, STDOUT: 17, STDERR: 18,
    NOTE: 19, PROGRESS: 20, STEP_END: 21, RESULT: 22, READY: 23, SPENT: 26,
};

if (process.argv[2] === '--sweep') {
    const dir = process.argv[3];
    if (!path.isAbsolute(dir) || path.basename(dir) !== 'sandboxes')
        process.exit(2);
    if (fs.existsSync(path.join(path.dirname(dir), 'sweep-fails')))
        process.exit(1);
    fs.appendFileSync(path.join(path.dirname(dir), 'sweeps'), 'x');
    console.log(0);
    process.exit(0);
}

const socket = new net.Socket({ fd: 3 });
const started = Date.now();
let job = null;
let cancels = 0;
let warm = false;
let inbox = Buffer.alloc(0);

function send(type, body, id = 0) {
    const data = Buffer.isBuffer(body) ? body
        : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    let at = 0;
    do { // what is over a frame is cut, as base/channel.c does it
        const piece = data.subarray(at, at + (1 << 20));
        const head = Buffer.alloc(9);
        head.writeUInt32BE(piece.length, 0);
        head.writeUInt8(type, 4);
        head.writeUInt32BE(id, 5);
        socket.write(Buffer.concat([head, piece]));
        at += piece.length;
    } while (at < data.length);
}

function result(state, reason, change = {}) {
    const now = Date.now();
    return Object.assign({
        schema: 1,
        job: {
            id: job.job_id, epoch: job.epoch, pipeline: job.pipeline.name,
            repo: '', commit: '', branch: '',
        },
        state, reason, message: reason ? `it ${state}` : null,
        started_at_ms: started, ended_at_ms: now, duration_ms: now - started,
        steps: [],
        usage: { peak_memory_bytes: null, cpu_ms: null, oom_kills: 0 },
        sandbox: {
            driver: 'fake', image: 'host', instance_type: 'lite',
            network: 'none', unenforced: '',
        },
        log: { stream: '', bytes: 0, dropped_bytes: 0 },
    }, change);
}

function end(state, reason, change, status = 0) {
    send(FRAME.RESULT, result(state, reason, change));
    socket.end(() => process.exit(status));
}

function step(text) {
    send(FRAME.STEP_START, { name: 'one', attempt: 1, started_at_ms: started });
    send(FRAME.PROGRESS, 'half of it');
    send(FRAME.STDOUT, text);
    send(FRAME.STDERR, 'a warning\n');
    send(FRAME.NOTE, 'a note\n');
}

const behaviours = {
    who() { step(`${warm ? 'warm' : 'cold'} ${process.pid}\n`); end('passed', null); },
    pass() { step('hello\n'); end('passed', null); },
    fail() { step('oh\n'); end('failed', 'step_failed'); },
    no_sandbox() { end('failed', 'sandbox_failed', { message: 'no runtime' }); },
    leaves_some() { end('passed', null, {}, 1); }, // of its sandbox
    die() { step('dying\n'); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50); },
    exit3() { step('leaving\n'); socket.end(() => process.exit(3)); },
    garbage() { socket.write(Buffer.alloc(300000, 0xff)); },
    other_job() { end('passed', null, { job: { id: 'other' } }); },
    bad_state() { end('passed', 'timed_out'); },
    not_json() { send(FRAME.RESULT, 'nonsense'); socket.end(() => process.exit(0)); },
    bad_steps() {
        send(FRAME.STEP_START, 'nonsense');
        send(FRAME.STEP_END, '[]');
        send(99, '{}');
        send(FRAME.START, '{}');
        step('hello\n');
        end('passed', null);
        send(FRAME.STDOUT, 'after the end');
    },
    hang() { step('waiting\n'); },
    deaf() { step('deaf\n'); },
    dies_when_cancelled() { step('waiting\n'); },
    huge_result() {
        end('passed', null, { message: 'x'.repeat((1 << 20) - 20) });
    },
    secrets() { // turned around: the log is stored
        step(`${job.env.TOKEN} ${[...job.username].reverse().join('')}\n`);
        end('passed', null);
    },
    credential() { // as it is, and turned around
        step(`${job.username} ${job.password} ${[...job.password].reverse().join('')}\n`);
        end('passed', null);
    },
    spends() { // and is tried again, dies, and passes; of `a`, and half of `b`
        const before = job.models[0].spent || {};
        const so_far = (kind, more) => (before[kind] || 0) + more;
        step(`${JSON.stringify(job.models.map((m) =>
            [m.name, m.fallback || '', m.spent || {}]))}\n`);
        send(FRAME.SPENT, {
            a: {
                requests: so_far('requests', 2), tokens: so_far('tokens', 100),
                micro_usd: so_far('micro_usd', 3000), time_ms: so_far('time_ms', 40),
                paid: { requests: 1, tokens: 60, micro_usd: 1000 },
            },
            b: {
                requests: 0, tokens: 0, micro_usd: 0, time_ms: 0,
                paid: { requests: 1, tokens: 40, micro_usd: 2000 },
            },
        });
        if (job.epoch === 2) setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);
        else if (job.epoch === 1) end('failed', 'model_failed', { steps: [{}] });
        else end('passed', null, { steps: [{}] });
    },
    stubborn() { step('waiting\n'); }, // takes two cancels
    flood() {
        for (let i = 0; i < 64; i++)
            send(FRAME.STDOUT, Buffer.alloc(128 << 10, 97 + i % 26));
        end('passed', null);
    },
    noise() { // 3 MiB that cannot be compressed below 3/4
        for (let i = 0; i < 48; i++)
            send(FRAME.STDOUT, crypto.randomBytes(48 << 10).toString('base64'));
        end('passed', null);
    },
    chatter() { // 400 numbered lines in 4 s
        let n = 0;
        const timer = setInterval(() => {
            for (let i = 0; i < 2; i++)
                send(n % 3 ? FRAME.STDOUT : FRAME.STDERR, `line ${n++}\n`);
            if (n >= 400) {
                clearInterval(timer);
                end('passed', null);
            }
        }, 20);
    },
    leaky() { // its secret in pieces, on both streams, in a note, in the result
        const secret = job.env.API_TOKEN;
        const half = secret.length >> 1;
        send(FRAME.STEP_START, { name: `step ${secret}`, attempt: 1 });
        send(FRAME.PROGRESS, `fetching ${secret}`);
        for (const type of [FRAME.STDOUT, FRAME.STDERR]) {
            send(type, `<${secret.slice(0, half)}`);
            send(FRAME.NOTE, 'between\n', 7);
            send(type, 'beside\n', 8); // a step in the background
            send(type, `${secret.slice(half)}>\n`);
        }
        for (const c of `[${secret}]`)
            send(FRAME.STDOUT, c);
        send(FRAME.NOTE, `note ${secret}\n`);
        send(FRAME.STDOUT, Buffer.from(secret).toString('base64'));
        send(FRAME.STDOUT, 'x' + secret.slice(0, 5), 1); // and no more of it
        send(FRAME.STEP_END, { name: `end ${secret}`, outcome: 'failed' });
        end('failed', 'step_failed', { message: `it said ${secret}!` });
    },
    sleep() { setTimeout(() => behaviours.pass(), 1500); },
};

// Ready at once, unless there is a file `warm-fails` beside us. The others leave
// their pids in `warm-pids`.
function prepare(json) {
    if (job || warm || !json.job_id.startsWith('warm-') || !json.pipeline.sandbox)
        process.exit(96);
    warm = true;
    const beside = process.env.BERTH_LIBEXEC;
    if (fs.existsSync(path.join(beside, 'warm-fails'))) {
        fs.appendFileSync(path.join(beside, 'warm-fails'), 'x');
        process.exit(1);
    }
    fs.appendFileSync(path.join(beside, 'warm-pids'), `${process.pid}\n`);
    send(FRAME.READY, '');
}

function take(type, body) {
    const json = JSON.parse(body.toString('utf8'));
    if (type === FRAME.PREPARE)
        return prepare(json);
    if (type === FRAME.START) {
        if (job || !json.job_id || !(json.epoch >= 1) || !json.pipeline)
            process.exit(99);
        job = json;
        behaviours[job.inputs.fake]();
    } else if (type === FRAME.DEADLINE) {
        if (!job || !Number.isInteger(json.mono_ms))
            process.exit(98);
        if (job.inputs.fake === 'sleep')
            send(FRAME.NOTE, `deadline ${json.mono_ms}\n`);
    } else if (type === FRAME.CANCEL) {
        cancels++;
        if (job.inputs.fake === 'dies_when_cancelled')
            process.kill(process.pid, 'SIGKILL');
        if (job.inputs.fake === 'hang' ||
            (job.inputs.fake === 'stubborn' && cancels === 2))
            end('cancelled', json.reason);
    } else {
        process.exit(97);
    }
}

socket.on('data', (data) => {
    inbox = Buffer.concat([inbox, data]);
    while (inbox.length >= 9 && inbox.length >= 9 + inbox.readUInt32BE(0)) {
        const length = inbox.readUInt32BE(0);
        const type = inbox.readUInt8(4);
        const body = inbox.subarray(9, 9 + length);
        inbox = inbox.subarray(9 + length);
        take(type, body);
    }
});
function leave(status) {
    if (!job || job.inputs.fake !== 'deaf')
        process.exit(status);
}
socket.on('error', () => leave(1));
socket.on('end', () => leave(0));
setInterval(() => {}, 60000); // deaf ones stay without a socket
