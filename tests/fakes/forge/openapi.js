// tests/fakes/forge/openapi.js - requests held against what GitHub publishes.
// SPDX-License-Identifier: Apache-2.0
//
// @octokit/openapi, cut down to the paths that the fake has, in a prism that
// runs as long as the test; GraphQL against @octokit/graphql-schema.
'use strict';

const { execFileSync, spawn } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { freePort } = require('../../lib/free_port');
const npm = require('../../lib/npm');

const PACKAGES = path.join(__dirname, 'packages');
const OPENAPI = '@octokit/openapi';
const DESCRIPTION = 'package/generated/api.github.com.json';
const PRISM = 'node_modules/@stoplight/prism-cli/dist/index.js';
const GRAPHQL = 'node_modules/@octokit/graphql-schema/schema.graphql';
const START_MS = 60000;
const MAX_DESCRIPTION = 64 << 20;

// ---- the description ------------------------------------------------------------

// The package is 400 MB and we need one file: packed, looked at, thrown away.
function fetchDescription(dir) {
  const lock = JSON.parse(fs.readFileSync(path.join(PACKAGES,
    'package-lock.json')));
  const { version, integrity } = lock.packages[`node_modules/${OPENAPI}`];
  const packed = JSON.parse(execFileSync('npm', ['pack',
    `${OPENAPI}@${version}`, '--json', '--ignore-scripts'],
  { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] }))[0].filename;
  const tgz = path.join(dir, packed);
  const digest = crypto.createHash('sha512').update(fs.readFileSync(tgz))
    .digest('base64');
  if (integrity !== `sha512-${digest}`)
    throw new Error(`${packed} is not what package-lock.json says`);
  const text = execFileSync('tar', ['-xzOf', tgz, DESCRIPTION],
    { maxBuffer: MAX_DESCRIPTION });
  fs.unlinkSync(tgz);
  return JSON.parse(text);
}

const shape = (pattern) => pattern.replace(/\{[^}]*\}|[:*]\w+/g, '{}');

// What `patterns` ("METHOD /path/:x") need of it, and nothing else.
function trim(whole, patterns) {
  const wanted = new Set(patterns.map(shape));
  const paths = {};
  for (const [at, item] of Object.entries(whole.paths))
    for (const [method, operation] of Object.entries(item)) {
      if (!wanted.has(`${method.toUpperCase()} ${shape(at)}`)) continue;
      paths[at] = { ...paths[at], [method]: { ...operation } };
      // Requests are held against it, not answers.
      paths[at][method].responses = { 200: { description: 'Fine' } };
    }
  const components = {};
  const add = (node) => {
    if (!node || typeof node !== 'object') return;
    if (typeof node.$ref === 'string') {
      const [, , kind, name] = node.$ref.split('/');
      if (!components[kind]?.[name]) {
        components[kind] = { ...components[kind],
          [name]: whole.components[kind][name] };
        add(whole.components[kind][name]);
      }
    }
    Object.values(node).forEach(add);
  };
  add(paths);
  return { openapi: whole.openapi, info: whole.info, paths, components };
}

function patternsOfFake() {
  const { ROUTES } = require('./github');
  return ROUTES.map((r) => `${r.method} ${r.pattern}`);
}

// Where packages and description are: in what all tests of a run share.
function install(tmp) {
  const base = process.env.TEST_SHARED || tmp;
  const dir = path.join(base, 'forge-packages');
  if (fs.existsSync(dir)) return dir;
  const stage = fs.mkdtempSync(`${dir}-`);
  npm.into(PACKAGES, stage, ['--omit=optional']);
  fs.writeFileSync(path.join(stage, 'github.json'),
    JSON.stringify(trim(fetchDescription(stage), patternsOfFake())));
  npm.place(stage, dir);
  return dir;
}

// ---- prism ----------------------------------------------------------------------

class Prism {
  constructor(dir, port, child) {
    Object.assign(this, { dir, port, child });
    this.agent = new http.Agent({ keepAlive: true });
    this.checked = 0;
  }

  static async start(tmp) {
    const dir = install(tmp);
    const port = await freePort();
    const child = spawn(process.execPath, [path.join(dir, PRISM), 'mock',
      '--errors', '-v', 'error', '-p', String(port),
      path.join(dir, 'github.json')], { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => { log = (log + chunk).slice(-4000); });
    const prism = new Prism(dir, port, child);
    for (const end = Date.now() + START_MS; ;) {
      if (child.exitCode !== null || Date.now() > end) {
        child.kill();
        throw new Error(`prism does not start:\n${log}`);
      }
      if (await prism.ask('GET', '/user', {}, '').catch(() => null)) return prism;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  stop() {
    this.agent.destroy();
    this.child.kill();
  }

  ask(method, target, headers, raw) {
    return new Promise((resolve, reject) => {
      const request = http.request({ host: '127.0.0.1', port: this.port, method,
        path: target, agent: this.agent, headers: { ...headers,
          'content-length': raw.length } }, (res) => {
        let text = '';
        res.on('data', (chunk) => { text += chunk; });
        res.on('end', () => resolve({ status: res.statusCode, text,
          headers: res.headers }));
      });
      request.on('error', reject);
      request.end(raw);
    });
  }

  // What is wrong with a request, in words.
  async check(ctx) {
    const at = ctx.path.replace(/^\/api\/v3\//, '/');
    if (/graphql$/.test(at)) return [];
    const headers = { accept: 'application/json' };
    if (ctx.raw.length) {
      headers['content-type'] = ctx.headers['content-type'] || 'none/none';
    }
    const answer = await this.ask(ctx.method, at + ctx.search, headers, ctx.raw);
    this.checked++;
    let body = {};
    try {
      body = JSON.parse(answer.text);
    } catch {
      /* no problem is without JSON */
    }
    if (/NO_PATH_MATCHED|NO_METHOD_MATCHED/.test(body.type || ''))
      return [`GitHub has no ${ctx.method} ${at}`];
    const listed = (body.validation || []).map((v) =>
      `${(v.location || []).join('.')}: ${v.message}`);
    if (listed.length) return listed;
    const said = answer.headers['sl-violations'];
    if (said) return [said];
    return answer.status >= 400 && answer.status !== 406
      ? [`${answer.status} ${body.detail || answer.text}`] : [];
  }

  // A query of GraphQL, against the schema.
  checkQuery(body) {
    const from = (name) => require(require.resolve(name, { paths: [this.dir] }));
    if (!this.graphql) {
      const { buildSchema, parse, validate } = from('graphql');
      const text = fs.readFileSync(path.join(this.dir, GRAPHQL), 'utf8');
      const built = buildSchema(text, { assumeValid: true });
      this.graphql = (query) => validate(built, parse(query));
    }
    try {
      return this.graphql(body.query).map((e) => e.message);
    } catch (error) {
      return [error.message];
    }
  }
}

module.exports = { Prism, trim, install };
