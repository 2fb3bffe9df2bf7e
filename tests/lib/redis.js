// tests/lib/redis.js - a small Redis client for tests: RESP2, one socket.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const net = require('net');

// One reply at `at`: [value, end], or null when it is not whole yet.
function parse(buf, at) {
    const eol = buf.indexOf('\r\n', at);
    if (eol < 0)
        return null;
    const head = buf.toString('utf8', at + 1, eol);
    const next = eol + 2;
    switch (String.fromCharCode(buf[at])) {
    case '+': return [head, next];
    case '-': return [new Error(head), next];
    case ':': return [Number(head), next];
    case '$': {
        const len = Number(head);
        if (len < 0)
            return [null, next];
        if (buf.length < next + len + 2)
            return null;
        return [buf.toString('utf8', next, next + len), next + len + 2];
    }
    case '*': {
        const items = [];
        let end = next;
        for (let i = 0; i < Number(head); i++) {
            const item = parse(buf, end);
            if (!item)
                return null;
            items.push(item[0]);
            end = item[1];
        }
        return [items, end];
    }
    default: throw new Error(`not RESP: ${head}`);
    }
}

class Redis {
    constructor(target) { // a socket's path, or {host, port}
        this.target = target;
        this.waiting = [];
        this.buf = Buffer.alloc(0);
        this.socket = null;
    }

    connect() {
        if (this.socket)
            return;
        const socket = net.connect(this.target);
        this.socket = socket;
        socket.on('data', (data) => {
            this.buf = Buffer.concat([this.buf, data]);
            let got;
            while (this.buf.length && (got = parse(this.buf, 0))) {
                this.buf = this.buf.subarray(got[1]);
                const { resolve, reject } = this.waiting.shift();
                if (got[0] instanceof Error)
                    reject(got[0]);
                else
                    resolve(got[0]);
            }
        });
        socket.on('error', () => {});
        socket.on('close', () => {
            const lost = this.waiting;
            this.waiting = [];
            this.buf = Buffer.alloc(0);
            this.socket = null;
            for (const { reject } of lost)
                reject(new Error('the connection to Redis is lost'));
        });
    }

    // A repeat is the caller's: what became of a lost command is unknown.
    call(...words) {
        this.connect();
        const parts = [`*${words.length}\r\n`];
        for (const word of words) {
            const text = String(word);
            parts.push(`$${Buffer.byteLength(text)}\r\n${text}\r\n`);
        }
        return new Promise((resolve, reject) => {
            this.waiting.push({ resolve, reject });
            this.socket.write(parts.join(''));
        });
    }

    close() {
        if (this.socket)
            this.socket.destroy();
    }
}

module.exports = { Redis };
