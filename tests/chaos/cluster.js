// tests/chaos/cluster.js - the processes that chaos befalls.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const fs = require('fs');
const net = require('net');
const path = require('path');
const { spawn } = require('child_process');

// A process that is started again under the same name when it was killed.
class Service {
    constructor(name, dir, command, env) {
        Object.assign(this, { name, dir, command, env, child: null, starts: 0 });
        this.stopped = false;
    }

    start() {
        const log = fs.openSync(path.join(this.dir, `${this.name}.log`), 'a');
        this.child = spawn(this.command[0], this.command.slice(1), {
            env: { ...process.env, ...this.env }, stdio: ['ignore', log, log],
        });
        this.child.on('error', (error) => { throw error; });
        this.starts++;
        this.stopped = false;
        fs.closeSync(log);
    }

    alive() {
        return this.child && this.child.exitCode === null &&
            this.child.signalCode === null;
    }

    signal(signal) {
        if (!this.alive())
            return;
        this.child.kill(signal);
        if (signal === 'SIGSTOP' || signal === 'SIGCONT')
            this.stopped = signal === 'SIGSTOP';
    }

    // Resolves with whether it ended by itself.
    ended(limitMs) {
        if (!this.alive())
            return Promise.resolve(true);
        return new Promise((resolve) => {
            const timer = setTimeout(() => {
                this.child.kill('SIGKILL');
                resolve(false);
            }, limitMs);
            this.child.once('exit', () => {
                clearTimeout(timer);
                resolve(true);
            });
        });
    }
}

// Between a worker and Redis: what goes through it can be held or cut.
class Proxy {
    constructor(listen, target) {
        this.target = target;
        this.cut = false;
        this.pairs = new Set();
        this.server = net.createServer((client) => this.accept(client));
        this.server.listen(listen);
    }

    accept(client) {
        client.on('error', () => {});
        if (this.cut) {
            client.destroy();
            return;
        }
        const server = net.connect(this.target);
        const pair = [client, server];
        this.pairs.add(pair);
        server.on('error', () => {});
        client.pipe(server);
        server.pipe(client);
        for (const end of pair)
            end.on('close', () => {
                this.pairs.delete(pair);
                client.destroy();
                server.destroy();
            });
    }

    // 'hold': bytes go nowhere, as when a network is parted; 'drop': closed.
    part(how) {
        this.cut = true;
        for (const [client, server] of this.pairs) {
            if (how === 'drop') {
                client.destroy();
            } else {
                client.unpipe(server);
                server.unpipe(client);
                client.pause();
                server.pause();
            }
        }
    }

    mend() {
        this.cut = false;
        for (const [client] of this.pairs)
            client.destroy();
    }

    close() {
        this.mend();
        this.server.close();
    }
}

module.exports = { Service, Proxy };
