// tests/lib/forge.js - the program `forge`, and a small host for it to ask.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { spawn } = require('child_process');
const http = require('http');
const https = require('https');
const path = require('path');

const SETUP = 1, MORE = 2, ASK = 3, PART = 16, ANSWER = 17;
const FRAME_MAX = 1 << 20;

const top = path.resolve(__dirname, '../..');
const libexec = process.env.BERTH_LIBEXEC ||
  path.join(top, 'build/debug/libexec/berth');

function frame(type, id, payload) {
  const head = Buffer.alloc(9);
  head.writeUInt32BE(payload.length, 0);
  head.writeUInt8(type, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

// The program, set up; ask() resolves to its answers.
class Forge {
  constructor(setup, env = {}) {
    this.child = spawn(path.join(libexec, 'forge'), [], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, ...env },
    });
    this.channel = this.child.stdio[3];
    this.in = Buffer.alloc(0);
    this.parts = [];
    this.frames = 0;
    this.waiting = new Map();
    this.id = 0;
    this.stderr = '';
    this.child.stderr.on('data', (d) => { this.stderr += d; });
    this.channel.on('data', (d) => this.onData(d));
    this.channel.on('error', () => {});
    this.ended = new Promise((done) => this.child.on('close',
      (code, signal) => {
        for (const answer of this.waiting.values())
          answer({ died: code ?? signal, stderr: this.stderr });
        done(code ?? signal);
      }));
    if (setup)
      this.send(SETUP, 0, Buffer.from(JSON.stringify(setup)));
  }

  send(type, id, payload) {
    this.channel.write(frame(type, id, payload));
  }

  onData(data) {
    this.in = Buffer.concat([this.in, data]);
    while (this.in.length >= 9) {
      const len = this.in.readUInt32BE(0);
      if (this.in.length < 9 + len) return;
      const type = this.in.readUInt8(4), id = this.in.readUInt32BE(5);
      this.parts.push(this.in.subarray(9, 9 + len));
      this.in = this.in.subarray(9 + len);
      this.frames++;
      if (type === PART) continue;
      const text = Buffer.concat(this.parts).toString();
      this.parts = [];
      if (type !== ANSWER) throw new Error(`a frame of type ${type}`);
      this.waiting.get(id)(JSON.parse(text));
      this.waiting.delete(id);
    }
  }

  askText(text) {
    const id = ++this.id;
    const payload = Buffer.from(text);
    let at = 0;
    const answer = new Promise((done) => this.waiting.set(id, done));
    for (; payload.length - at > FRAME_MAX; at += FRAME_MAX)
      this.send(MORE, id, payload.subarray(at, at + FRAME_MAX));
    this.send(ASK, id, payload.subarray(at));
    return answer;
  }

  ask(op, body = {}) {
    return this.askText(JSON.stringify({ repo: 'acme/app', ...body, op }));
  }

  // Its exit status.
  end() {
    this.channel.end();
    return this.ended;
  }
}

// A server that answers with what `handler(request)` returns, {status, headers,
// json, text}, and remembers what it was asked. `cut` ends the connection.
class Host {
  constructor(handler, tls) {
    this.handler = handler;
    this.seen = [];
    const serve = (req, res) => this.serve(req, res);
    this.server = tls ? https.createServer(tls, serve)
      : http.createServer(serve);
    this.scheme = tls ? 'https' : 'http';
  }

  serve(req, res) {
    const chunks = [];
    req.on('data', (d) => chunks.push(d));
    req.on('end', async () => {
      const text = Buffer.concat(chunks).toString();
      const seen = { method: req.method, path: req.url, headers: req.headers,
        body: text ? JSON.parse(text) : null };
      this.seen.push(seen);
      const answer = await this.handler(seen, this.seen.length);
      if (answer.cut) return void req.socket.destroy();
      if (answer.raw) return void req.socket.end(answer.raw);
      const body = answer.text ?? JSON.stringify(answer.json ?? {});
      res.writeHead(answer.status ?? 200, { 'content-type': 'application/json',
        ...answer.headers });
      res.end(body);
    });
  }

  async listen() {
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.url = `${this.scheme}://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  take() {
    return this.seen.splice(0);
  }

  close() {
    this.server.closeAllConnections?.();
    this.server.close();
  }
}

module.exports = { Forge, Host, frame, SETUP, MORE, ASK };
