// tests/lib/forge_program.js - the program `forge`, asked as a scheduler asks it.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { spawn } = require('child_process');
const path = require('path');

const SETUP = 1;
const MORE = 2;
const ASK = 3;
const PART = 16;
const ANSWER = 17;
const HEAD = 9;
const MAX_PAYLOAD = 1 << 20;
const program = () => path.join(process.env.BERTH_LIBEXEC, 'forge');

// One process; `setup` is that of scheduler/forge/protocol.h.
class ForgeProgram {
  constructor(setup) {
    this.waiting = new Map();
    this.last = 0;
    this.data = Buffer.alloc(0);
    this.parts = [];
    this.child = spawn(program(), [], { stdio: ['ignore', 'inherit', 'inherit',
      'pipe'] });
    this.socket = this.child.stdio[3];
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk) => this.read(chunk));
    this.ended = new Promise((resolve) => this.child.on('close', (code, signal) => {
      for (const { answer } of this.waiting.values())
        answer({ error: 'died', message: `${code} ${signal}` });
      this.waiting.clear();
      resolve({ code, signal });
    }));
    this.send(SETUP, 0, setup);
  }

  send(type, id, document) {
    const text = Buffer.from(JSON.stringify(document));
    for (let at = 0; at === 0 || at < text.length; at += MAX_PAYLOAD) {
      const part = text.subarray(at, at + MAX_PAYLOAD);
      const head = Buffer.alloc(HEAD);
      head.writeUInt32BE(part.length, 0);
      head.writeUInt8(at + MAX_PAYLOAD < text.length ? MORE : type, 4);
      head.writeUInt32BE(id, 5);
      this.socket.write(Buffer.concat([head, part]));
    }
  }

  read(chunk) {
    this.data = Buffer.concat([this.data, chunk]);
    while (this.data.length >= HEAD) {
      const end = HEAD + this.data.readUInt32BE(0);
      if (this.data.length < end) return;
      const type = this.data.readUInt8(4);
      const id = this.data.readUInt32BE(5);
      this.parts.push(this.data.subarray(HEAD, end));
      this.data = this.data.subarray(end);
      if (type === PART) continue;
      if (type !== ANSWER) throw new Error(`a frame of type ${type}`);
      const answer = JSON.parse(Buffer.concat(this.parts));
      this.parts = [];
      this.waiting.get(id)?.answer(answer);
      this.waiting.delete(id);
    }
  }

  ask(op, document) {
    const id = ++this.last;
    return new Promise((answer) => {
      this.waiting.set(id, { answer });
      this.send(ASK, id, { op, ...document });
    });
  }

  kill() {
    this.child.kill('SIGKILL');
    return this.ended;
  }

  end() {
    this.socket.end();
    return this.ended;
  }
}

module.exports = { ForgeProgram };
