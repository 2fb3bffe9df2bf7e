// tests/integration/relay_rig.js - a relay, and what a sandbox asks of it.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { spawn } = require('child_process');
const http = require('http');
const net = require('net');
const path = require('path');
const { ok, end } = require('../lib/tap');
const { startModel } = require('../fakes/model');

const libexec = process.env.BERTH_LIBEXEC ||
  path.resolve(__dirname, '../../build/debug/libexec/berth');
const UID = process.getuid() === 0 ? 1900065537 : 0;
const FRAME = { SETUP: 1, BEGIN: 2, END: 3, READY: 16, FAILED: 17, BEGUN: 18,
  USAGE: 19, OVER: 20, ENDED: 21 };

function frame(type, doc) {
  const text = Buffer.from(JSON.stringify(doc));
  const head = Buffer.alloc(9);
  head.writeUInt32BE(text.length, 0);
  head.writeUInt8(type, 4);
  return Buffer.concat([head, text]);
}

// A relay that listens on this host, as it would in a sandbox.
class Relay {
  static async start(setup, environment = {}) {
    const relay = new Relay();
    const server = net.createServer();
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    relay.port = server.address().port;
    relay.frames = [];
    relay.waiting = [];
    relay.errors = '';
    relay.child = spawn(path.join(libexec, 'relay'), [String(UID)], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', server._handle.fd],
      env: { ...process.env, ...environment } });
    server.close();
    relay.child.stderr.on('data', (data) => { relay.errors += data; });
    relay.channel = relay.child.stdio[3];
    relay.channel.on('error', () => {});
    relay.exited = new Promise((done) => relay.child.on('exit', done));
    relay.read();
    relay.channel.write(frame(FRAME.SETUP, setup));
    await relay.frame(FRAME.READY);
    return relay;
  }

  read() {
    let data = Buffer.alloc(0);
    this.channel.on('data', (chunk) => {
      data = Buffer.concat([data, chunk]);
      while (data.length >= 9 && data.length >= 9 + data.readUInt32BE(0)) {
        const text = data.subarray(9, 9 + data.readUInt32BE(0)).toString();
        const type = data.readUInt8(4);
        if (type === FRAME.FAILED) this.errors += text;
        this.frames.push({ type, doc: type === FRAME.FAILED ? text :
          JSON.parse(text) });
        data = data.subarray(9 + data.readUInt32BE(0));
      }
      this.waiting.splice(0).forEach((wake) => wake());
    });
  }

  // The next frame of this type, taken out.
  async frame(type) {
    const until = Date.now() + 40000;
    for (;;) {
      const at = this.frames.findIndex((one) => one.type === type);
      if (at >= 0) return this.frames.splice(at, 1)[0].doc;
      if (Date.now() > until || this.frames.some((f) => f.type === FRAME.FAILED))
        throw new Error(`no frame ${type}: ${this.errors} ` +
          JSON.stringify(this.frames));
      await new Promise((wake) => {
        this.waiting.push(wake);
        setTimeout(wake, 200);
      });
    }
  }

  async begin(step = {}) {
    this.channel.write(frame(FRAME.BEGIN, { model: 'default', ...step }));
    await this.frame(FRAME.BEGUN);
  }

  // Ends the step; its usage.
  end() {
    this.channel.write(frame(FRAME.END, {}));
    return this.frame(FRAME.ENDED);
  }

  over() {
    return this.frame(FRAME.OVER);
  }

  // Send a request: {status, headers, text, json, pieces: [{at, text}], cut}.
  ask(body, { path: to = '/v1/chat/completions', method = 'POST', headers = {},
    onPiece } = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return new Promise((done) => {
      const answer = { status: 0, headers: {}, text: '', pieces: [], cut: true };
      const finish = () => {
        try { answer.json = JSON.parse(answer.text); } catch { /* a stream */ }
        done(answer);
      };
      const request = http.request({ host: '127.0.0.1', port: this.port,
        method, path: to, agent: false, headers: {
          'Content-Type': 'application/json',
          Authorization: 'Bearer unused', 'x-api-key': 'unused',
          ...headers } }, (response) => {
        answer.status = response.statusCode;
        answer.headers = response.headers;
        response.on('data', (data) => {
          answer.text += data;
          answer.pieces.push({ at: Date.now(), text: String(data) });
          if (onPiece) onPiece(request, answer);
        });
        response.on('end', () => { answer.cut = !response.complete; });
        response.on('close', finish);
        response.on('error', () => {});
      });
      request.on('error', (error) => {
        answer.error = error.message;
        finish();
      });
      if (method === 'GET') request.end();
      else request.end(text);
    });
  }

  async stop() {
    this.channel.destroy();
    await this.exited;
  }
}

const PRICE = { input: 1000000, output: 2000000, cached: 100000 };
const KEY = 'sk-very-secret-0123456789';

// What a relay for a fake is told.
const modelOf = (fake, more = {}) => ({ name: 'default', url: fake.url,
  dialect: 'openai', key: KEY, model: 'small', allow: ['large'], price: PRICE,
  ...more });

// A fake, and a relay for it with a step under way.
async function withRelay({ fake = {}, model = {}, others = [], setup = {},
  step = {}, environment } = {}, use) {
  const provider = await startModel({ key: KEY, ...fake });
  const relay = await Relay.start({ models: [modelOf(provider, model),
    ...others], backoff_ms: 20, ...setup }, environment);
  try {
    await relay.begin(step);
    await use(relay, provider);
  } finally {
    await relay.stop();
    await provider.stop();
  }
}

const chat = (more = {}) => ({ model: 'small',
  messages: [{ role: 'user', content: 'hi' }], ...more });

const stream = (more) => chat({ stream: true, ...more });

function assert(holds, ...details) {
  if (!holds)
    throw new Error(`${new Error().stack.split('\n')[2].trim()}: ${
      details.map((d) => (typeof d === 'string' ? d : JSON.stringify(d)))
        .join(' ')}`);
}

// All of them, or those whose name has the program's first argument in it; then
// `clean`, and the end of the process.
async function runTests(tests, clean = () => {}) {
  const only = process.argv[2];
  for (const [name, test] of Object.entries(tests)) {
    if (only && !name.includes(only)) continue;
    try {
      await test();
      ok(true, name);
    } catch (error) {
      ok(false, name, error);
    }
  }
  clean();
  end();
}

module.exports = { Relay, withRelay, modelOf, startModel, chat, stream, KEY, FRAME,
  assert, runTests };
