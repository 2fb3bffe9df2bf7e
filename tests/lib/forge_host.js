#!/usr/bin/env node
// tests/lib/forge_host.js - a Git host for a test: tests/fakes/forge, started.
// SPDX-License-Identifier: Apache-2.0
//
// In a test of node:
//   const forge = await require('../lib/forge_host').start({ kind: 'github', tmp });
//   forge.url, forge.api; await forge.call('addRepo', { name: 'o/r' });
//   await forge.stop();
// `validate: true` holds each request to GitHub against its own description
// (prism), `examples: true` fills its webhooks with what GitHub has in them,
// `separate: true` makes it a process of its own, for tests that wait for
// programs (execFileSync), `gap_ms` is the pause that writes must keep. What
// can be called: CONTROL in tests/fakes/forge/server.js.
//
// From a shell:
//   node tests/lib/forge_host.js start KIND DIR [validate] [examples] [gap_ms=N] &
//     until DIR/url is there; it ends by SIGTERM
//   node tests/lib/forge_host.js call DIR NAME [JSON]     prints the answer
'use strict';

const { spawn } = require('child_process');
const fs = require('fs');
const http = require('http');
const path = require('path');
const npm = require('./npm');

const START_MS = 90000;

async function startHere({ kind, tmp, dir, validate, examples, gap_ms, tls }) {
  const { Fake } = require('../fakes/forge/server');
  const prism = validate && kind === 'github'
    ? await require('../fakes/forge/openapi').Prism.start(tmp) : null;
  const where = dir || fs.mkdtempSync(path.join(tmp, `${kind}-`));
  const fake = new Fake({ kind, dir: where, gap_ms, tls, prism });
  if (examples && kind === 'github')
    fake.examples = npm.install(path.resolve(__dirname, '../webhooks'), tmp)(
      '@octokit/webhooks-examples');
  await fake.start();
  const stop = fake.stop.bind(fake);
  fake.stop = () => {
    prism?.stop();
    return stop();
  };
  return fake;
}

// One call of a fake that is another process.
function ask(url, name, args = {}) {
  const body = JSON.stringify(args);
  return new Promise((resolve, reject) => {
    const request = http.request(`${url}/_fake/${name}`, { method: 'POST',
      agent: false, headers: { 'content-length': Buffer.byteLength(body) } },
    (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk) => { text += chunk; });
      res.on('end', () => {
        if (res.statusCode !== 200) return reject(new Error(text));
        return resolve(JSON.parse(text));
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function startApart({ kind, tmp, validate, examples, gap_ms }) {
  const dir = fs.mkdtempSync(path.join(tmp, `${kind}-`));
  const words = [validate && 'validate', examples && 'examples',
    gap_ms !== undefined && `gap_ms=${gap_ms}`].filter(Boolean);
  const child = spawn(process.execPath, [__filename, 'start', kind, dir, ...words],
    { stdio: ['ignore', 'ignore', 'inherit'] });
  const file = path.join(dir, 'url');
  for (const end = Date.now() + START_MS; !fs.existsSync(file);) {
    if (child.exitCode !== null || Date.now() > end)
      throw new Error(`the fake ${kind} does not start`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const url = fs.readFileSync(file, 'utf8').trim();
  const prefix = { github: '', gitlab: '/api/v4', gitea: '/api/v1' }[kind];
  return { kind, dir, url, api: url + prefix, child,
    call: (name, args) => ask(url, name, args),
    stop: () => new Promise((resolve) => {
      child.on('exit', resolve);
      child.kill();
    }) };
}

const start = (options) => (options.separate ? startApart(options)
  : startHere(options));

async function main([command, ...words]) {
  if (command === 'call') {
    const [dir, name, args] = words;
    const url = fs.readFileSync(path.join(dir, 'url'), 'utf8').trim();
    const answer = await ask(url, name, args ? JSON.parse(args) : {});
    console.log(typeof answer === 'string' ? answer : JSON.stringify(answer));
    return;
  }
  const [kind, dir, ...more] = words;
  if (command !== 'start' || !dir)
    throw new Error('usage: forge_host.js start KIND DIR … | call DIR NAME [JSON]');
  const gap = more.find((w) => w.startsWith('gap_ms='));
  const fake = await startHere({ kind, dir, tmp: dir,
    validate: more.includes('validate'), examples: more.includes('examples'),
    ...(gap ? { gap_ms: +gap.slice('gap_ms='.length) } : {}) });
  const end = () => fake.stop().then(() => process.exit(0));
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, end);
  fs.writeFileSync(path.join(dir, 'url.tmp'), `${fake.url}\n`);
  fs.renameSync(path.join(dir, 'url.tmp'), path.join(dir, 'url'));
}

if (require.main === module)
  main(process.argv.slice(2)).catch((error) => {
    console.error(`forge_host.js: ${error.message}`);
    process.exit(1);
  });

module.exports = { start, ask };
