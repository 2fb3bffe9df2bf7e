#!/usr/bin/env node
// tests/integration/setup.test.js - berth setup, before a registry that lies.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { execFileSync, spawn } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const { ok, end } = require('../lib/tap');

const root = path.resolve(__dirname, '../..');
const berth = process.env.BERTH_BIN || path.join(root, 'build/debug/bin/berth');
const tmp = fs.mkdtempSync(path.join(process.env.TEST_TMP || os.tmpdir(), 's'));
const lock = JSON.parse(fs.readFileSync(path.join(root,
  'cli/opencode/package-lock.json'), 'utf8')).packages;
const LOCKED = lock['node_modules/opencode-ai'].version;
const OTHER = '9.9.9';
const PLATFORM = { x64: 'opencode-linux-x64', arm64: 'opencode-linux-arm64' }[
  process.arch];

// A package whose program says who it is.
function pack(name, version, dependencies) {
  const dir = path.join(tmp, `${name}-${version}`);
  fs.mkdirSync(path.join(dir, 'package/bin'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'package/package.json'), JSON.stringify({
    name, version, optionalDependencies: dependencies }));
  fs.writeFileSync(path.join(dir, 'package/bin/opencode'),
    '#!/bin/sh\necho "opencode run, of a stranger"\n', { mode: 0o755 });
  execFileSync('tar', ['-czf', path.join(dir, 'tgz'), '-C', dir, 'package']);
  return fs.readFileSync(path.join(dir, 'tgz'));
}

// Of the version that is locked it claims the right digests, and sends other bytes.
function registry() {
  const packages = {};
  for (const version of [LOCKED, OTHER]) {
    for (const name of ['opencode-ai', PLATFORM]) {
      const more = name === PLATFORM ? {} : { [PLATFORM]: version };
      const bytes = pack(name, version, more);
      packages[name] ||= {};
      packages[name][version] = { bytes, more, integrity: version === LOCKED &&
        lock[`node_modules/${name}`]?.integrity || `sha512-${crypto
        .createHash('sha512').update(bytes).digest('base64')}` };
    }
  }
  const asked = [];
  const server = http.createServer((request, response) => {
    const [, name, , file] = request.url.split('/');
    const versions = packages[name];
    asked.push(request.url);
    if (!versions) {
      response.writeHead(404).end('{}');
    } else if (file) {
      response.end(versions[file].bytes);
    } else {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name, 'dist-tags': { latest: OTHER },
        versions: Object.fromEntries(Object.entries(versions).map(([v, p]) => [v,
          { name, version: v, optionalDependencies: p.more, dist: {
            integrity: p.integrity,
            tarball: `http://${request.headers.host}/${name}/-/${v}` } }])) }));
    }
  });
  server.asked = asked;
  return new Promise((done) => server.listen(0, '127.0.0.1', () =>
    done(server)));
}

function setup(state, server, args, bin) {
  const env = { ...process.env, HOME: tmp,
    BERTH_STATE_DIR: state ? path.join(tmp, state) : undefined,
    PATH: `${bin}:${process.env.PATH}`,
    npm_config_cache: path.join(tmp, `${state}.npm`), npm_config_fetch_retries:
    '0', npm_config_registry: `http://127.0.0.1:${server.address().port}/` };
  const child = spawn(berth, ['setup', 'opencode', ...args], { env,
    stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = { out: '', err: '' };
  child.stdout.on('data', (data) => { ended.out += data; });
  child.stderr.on('data', (data) => { ended.err += data; });
  return new Promise((done) => child.on('close', (status) =>
    done({ ...ended, status })));
}

const installed = (state) => {
  const tools = path.join(tmp, state, 'tools');
  return fs.existsSync(tools) ? fs.readdirSync(tools) : [];
};

async function main() {
  const server = await registry();
  // As Debian's alternatives do it; the file is nobody else's to change.
  const bin = path.join(tmp, 'bin');
  fs.mkdirSync(bin);
  fs.writeFileSync(path.join(bin, 'ripgrep'), '#!/bin/sh\necho found\n');
  fs.chmodSync(path.join(bin, 'ripgrep'), 0o711);
  fs.symlinkSync('ripgrep', path.join(bin, 'rg'));

  if (process.arch === 'x64') {
    const e = await setup('locked', server, [], bin);
    ok(e.status === 1 && /is not what this berth knows/.test(e.err) &&
      /EINTEGRITY/.test(e.err), 'a package that was changed is refused', e);
    ok(installed('locked').length === 0 && server.asked.some((url) =>
      url.endsWith(`/-/${LOCKED}`)), 'and nothing of it stays',
    installed('locked'), server.asked);
  }
  const e = await setup('other', server, ['--version', OTHER], bin);
  const dir = path.join(tmp, 'other/tools', `opencode-${OTHER}`);
  ok(e.status === 0 && /no digest of opencode-ai 9\.9\.9/.test(e.err) &&
    e.out.includes(`opencode ${OTHER} (run) is at ${dir}`),
  'another version is taken as it is, and that is told', e);
  ok(fs.readdirSync(dir).sort().includes('opencode.bin') &&
    !fs.existsSync(path.join(dir, 'node_modules')), 'its program is there',
  fs.readdirSync(dir));
  const rg = fs.lstatSync(path.join(dir, 'rg'));
  const real = fs.statSync(path.join(bin, 'ripgrep'));
  ok(rg.isFile() && (rg.mode & 0o777) === 0o755 && real.nlink === 1 &&
    (real.mode & 0o777) === 0o711, 'a copy of ripgrep, which stays as it is',
  rg, real);

  const config = path.join(tmp, 'berth.yml');
  fs.writeFileSync(config, `state_dir: ${path.join(tmp, 'configured')}\n`);
  const c = await setup('', server, ['--version', OTHER, '--config', config],
    bin);
  ok(c.status === 0 && installed('configured').includes(`opencode-${OTHER}`),
    'it is put where the configuration has the state', c);
  server.close();
  end();
}
main().catch((error) => {
  ok(false, 'no exception', error);
  end();
});
