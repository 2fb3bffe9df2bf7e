// tests/integration/gateway_rig.js - a gateway, and what a sandbox sends to it.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');
const tls = require('tls');

const libexec = process.env.BERTH_LIBEXEC ||
    path.resolve(__dirname, '../../build/debug/libexec/berth');
const driver = path.resolve(libexec,
    '../../tests/unit/worker/gateway/client_test');
const UID = 1900065536;
let facts; // of gateway_world.js
let nextPort = 20000;

// ---- a gateway --------------------------------------------------------------

const BASE = {
    hosts: ['ok.example.net', 'www.example.net', '*.deep.example.net',
        'ok.example.net:8443', 'dead.example.net', 'six.example.net',
        'meta.example.net', 'private.example.net', 'loop.example.net',
        'zero.example.net', 'mapped.example.net', 'nat64.example.net',
        '6to4.example.net', 'unique.example.net', 'both.example.net',
        'rebind.example.net', 'mute.example.net', 'gone.example.net'],
    listed: 'npm, ok.example.net',
};

class Gateway {
    constructor(setup, environment = {}) {
        this.port = nextPort++;
        this.lines = [];
        this.waiting = [];
        this.child = spawn(driver, ['drive',
            JSON.stringify({ ...BASE, ...setup }), String(this.port),
            String(UID)], {
            stdio: ['pipe', 'pipe', 'inherit'],
            env: { ...process.env, BERTH_LIBEXEC: libexec,
                SSL_CERT_FILE: facts.certificates.cert, SSL_CERT_DIR: '',
                ...environment } });
        let text = '';
        this.child.stdout.on('data', (data) => {
            text += data;
            const lines = text.split('\n');
            text = lines.pop();
            this.lines.push(...lines.map((line) => JSON.parse(line)));
            this.waiting.splice(0).forEach((wake) => wake());
        });
    }

    // The next line that `pick` likes, taken out.
    async line(pick = () => true) {
        const until = Date.now() + 40000;
        for (;;) {
            const at = this.lines.findIndex(pick);
            if (at >= 0)
                return this.lines.splice(at, 1)[0];
            if (Date.now() > until)
                throw new Error(`no such line: ${JSON.stringify(this.lines)}`);
            await new Promise((wake) => {
                this.waiting.push(wake);
                setTimeout(wake, 200);
            });
        }
    }

    event(host) {
        return this.line((line) => 'verdict' in line &&
            (host === undefined || line.host === host));
    }

    // Have it inject other fields, from the end of this on.
    async hold(fields) {
        this.child.stdin.write(`${JSON.stringify(fields)}\n`);
        await this.line((line) => line.held);
    }

    async stop() {
        this.child.stdin.end();
        await new Promise((done) => this.child.on('exit', done));
    }
}

async function withGateway(setup, use, environment) {
    const gateway = new Gateway(setup, environment);
    try {
        const first = await gateway.line();
        if (!first.pid)
            throw new Error(JSON.stringify(first));
        gateway.pid = first.pid;
        await use(gateway);
    } finally {
        await gateway.stop();
    }
}

// ---- a client ---------------------------------------------------------------

function open(gateway) {
    const socket = net.connect(gateway.port, '127.0.0.1');
    socket.text = '';
    socket.on('data', (data) => { socket.text += data.toString('latin1'); });
    socket.on('error', () => {});
    socket.over = new Promise((done) => socket.on('close', done));
    return socket;
}

// Send, and everything that comes back.
async function ask(gateway, text) {
    const socket = open(gateway);
    socket.write(text);
    await socket.over;
    return socket.text;
}

const get = (host, url = '/', more = '') =>
    `GET http://${host}${url} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;

// A tunnel, or the answer that is none.
async function connect(gateway, target, host = target) {
    const socket = open(gateway);
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await new Promise((done) => {
        const look = () => socket.text.includes('\r\n\r\n') && done();
        socket.on('data', look);
        socket.on('close', done);
    });
    return socket;
}

// A handshake of TLS through a tunnel; the error's message, or 'secure'.
async function shake(socket, servername) {
    socket.removeAllListeners('data');
    const secure = tls.connect({ socket, servername,
        ca: fs.readFileSync(facts.certificates.cert),
        checkServerIdentity: () => undefined });
    const outcome = await new Promise((done) => {
        secure.on('secureConnect', () => done('secure'));
        secure.on('error', (error) => done(error.message));
        secure.on('close', () => done('closed'));
    });
    return { secure, outcome };
}

function assert(good, what) {
    if (!good)
        throw new Error(typeof what === 'string' ? what : JSON.stringify(what));
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(check, what) {
    for (let i = 0; i < 1600; i++) {
        if (check())
            return;
        await pause(25);
    }
    throw new Error(`never: ${what}`);
}

module.exports = { Gateway, UID, withGateway, open, ask, get, connect, shake,
    assert, pause, until, use: (made) => { facts = made; } };
