// tests/fakes/forge/server.js - a Git host on loopback that knows its rules.
// SPDX-License-Identifier: Apache-2.0
//
// One server is one host: github.js, gitlab.js or gitea.js. It keeps state, says
// no where the host says no, goes wrong on demand (faults.js), and remembers
// every request. POST /_fake/NAME with JSON calls the function NAME of CONTROL
// below: for tests in other languages. tests/lib/forge_host.js starts it.
'use strict';

const { spawn } = require('child_process');
const crypto = require('crypto');
const http = require('http');
const https = require('https');
const { Store, GIT_ENV } = require('./store');
const { Faults } = require('./faults');
const { Hooks } = require('./hooks');
const { Refusal } = require('./validate');
const { render } = require('./render');

const HOSTS = { github: './github', gitlab: './gitlab', gitea: './gitea' };
const MAX_BODY = 32 << 20;
const GIT_PATH = /^\/(.+?)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/;

function readBody(req) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    req.on('data', (chunk) => {
      size += chunk.length;
      if (size <= MAX_BODY) chunks.push(chunk);
    });
    req.on('end', () => resolve(Buffer.concat(chunks)));
    req.on('error', reject);
  });
}

class Fake {
  // {kind, dir: where repositories are made, gap_ms: writes closer together are
  // counted, tls: {key, cert}, prism: of openapi.js, or null}
  constructor({ kind, dir, gap_ms = 1000, tls = null, prism = null }) {
    this.kind = kind;
    this.options = { gap_ms };
    this.prism = prism;
    this.host = new (require(HOSTS[kind]).Host)(this);
    this.store = new Store({ dir, headRefs: this.host.headRefs });
    this.faults = new Faults(kind);
    this.hooks = new Hooks(this);
    this.reset();
    const serve = (req, res) => this.serve(req, res).catch((error) => {
      this.broken.push(error.stack);
      if (!res.headersSent) res.writeHead(599);
      res.end(error.stack);
    });
    this.server = tls ? https.createServer(tls, serve) : http.createServer(serve);
    this.server.keepAliveTimeout = 60000;
  }

  reset() {
    this.requests = [];
    this.violations = [];
    this.broken = [];
    this.writing = 0;
    this.lastWrite = -Infinity;
    this.counts = { requests: 0, reads: 0, writes: 0, close_writes: 0,
      concurrent_writes: 0, refused: 0 };
  }

  start(port = 0) {
    return new Promise((resolve, reject) => {
      this.server.on('error', reject);
      this.server.listen(port, '127.0.0.1', () => {
        const scheme = this.server instanceof https.Server ? 'https' : 'http';
        this.url = `${scheme}://127.0.0.1:${this.server.address().port}`;
        this.api = this.url + this.host.prefix;
        resolve(this);
      });
    });
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  // What a client did that the host takes, or answers vaguely, but should not
  // have come.
  violation(what, about) {
    this.violations.push({ what, ...about });
  }

  // ---- one request ------------------------------------------------------------

  async serve(req, res) {
    const url = new URL(req.url, 'http://localhost');
    if (url.pathname.startsWith('/_fake/')) return this.control(req, res, url);
    if (GIT_PATH.test(url.pathname)) return this.git(req, res, url);

    const raw = await readBody(req);
    const ctx = { method: req.method, path: url.pathname, query: url.searchParams,
      search: url.search, headers: req.headers, raw, params: {} };
    const entry = this.record(ctx);
    const fault = this.faults.pick(req.method, url.pathname);
    if (fault) entry.fault = fault.name;
    if (fault?.cut === 'before') return this.cut(req, entry);
    if (fault?.wait_ms) await new Promise((r) => setTimeout(r, fault.wait_ms));
    // A fault in place of an answer: nothing is done.
    const made = fault?.status ? fault : await this.answer(ctx, entry);
    if (fault?.cut === 'after') return this.cut(req, entry);
    return this.send(res, entry, made, Boolean(fault));
  }

  record(ctx) {
    const entry = { id: this.requests.length + 1, at: Date.now(),
      method: ctx.method, path: ctx.path + ctx.search, body: null,
      token: this.host.tokenKind(ctx), user_agent: ctx.headers['user-agent'] };
    this.requests.push(entry);
    this.counts.requests++;
    try {
      if (ctx.raw.length) ctx.body = JSON.parse(ctx.raw);
    } catch {
      ctx.malformed = true;
    }
    entry.body = ctx.body ?? null;
    entry.write = this.host.isWrite(ctx);
    return entry;
  }

  cut(req, entry) {
    entry.status = 0;
    req.socket.destroy();
  }

  // Writes, one after the other, with a pause: or they are counted.
  async answer(ctx, entry) {
    if (!entry.write) {
      this.counts.reads++;
      return this.route(ctx, entry);
    }
    this.counts.writes++;
    if (this.writing > 0) this.counts.concurrent_writes++;
    const now = performance.now();
    // Timers may be a little early.
    if (now - this.lastWrite < this.options.gap_ms * 0.98) {
      this.counts.close_writes++;
      entry.close = true;
    }
    this.lastWrite = now;
    this.writing++;
    try {
      return await this.route(ctx, entry);
    } finally {
      this.writing--;
    }
  }

  async route(ctx, entry) {
    try {
      if (ctx.malformed)
        throw new Refusal(400, { message: 'Problems parsing JSON' });
      if (this.prism)
        for (const problem of await this.prism.check(ctx))
          this.violation('schema', { request: entry.id, method: ctx.method,
            path: ctx.path, problem });
      return await this.host.handle(ctx, entry);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.counts.refused++;
      return { status: error.status, body: error.body, headers: error.headers };
    }
  }

  send(res, entry, made, isFault) {
    const { status = 200, body, headers = {}, type } = made;
    entry.status = status;
    const text = body === undefined ? ''
      : typeof body === 'string' ? body : JSON.stringify(body);
    res.writeHead(status, {
      ...(isFault ? {} : this.host.commonHeaders(entry)),
      ...(text ? { 'content-type': type || 'application/json; charset=utf-8' } : {}),
      'content-length': Buffer.byteLength(text), ...headers });
    res.end(text);
  }

  // ---- Git ----------------------------------------------------------------------

  git(req, res, url) {
    const [, name, service] = GIT_PATH.exec(url.pathname);
    const repo = this.store.repos.get(name);
    const push = service === 'git-receive-pack' ||
      url.searchParams.get('service') === 'git-receive-pack';
    const basic = /^Basic (.+)$/i.exec(req.headers.authorization || '');
    const password = basic && Buffer.from(basic[1], 'base64').toString()
      .replace(/^[^:]*:/, '');
    const allowed = this.host.gitAccess(repo, password, push);
    this.requests.push({ id: this.requests.length + 1, at: Date.now(), git: true,
      method: req.method, path: url.pathname + url.search,
      token: password ? this.host.kindOf(password) : 'none',
      status: allowed ? 200 : basic ? 404 : 401 });
    if (!allowed) {
      // A host does not say which private repositories it has.
      res.writeHead(basic ? 404 : 401, basic ? {}
        : { 'www-authenticate': 'Basic realm="fake"' });
      return res.end();
    }
    return this.backend(req, res, repo, service, url.search.slice(1));
  }

  backend(req, res, repo, service, query) {
    const protocol = req.headers['git-protocol'] || '';
    const cgi = spawn('git', ['http-backend'], { env: { ...GIT_ENV,
      GIT_PROJECT_ROOT: repo.dir, GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: req.method, PATH_INFO: `/${service}`, QUERY_STRING: query,
      CONTENT_TYPE: req.headers['content-type'] || '',
      HTTP_CONTENT_ENCODING: req.headers['content-encoding'] || '',
      HTTP_GIT_PROTOCOL: protocol, GIT_PROTOCOL: protocol,
      REMOTE_USER: 'fake', REMOTE_ADDR: '127.0.0.1' } });
    let head = Buffer.alloc(0);
    cgi.stdout.on('data', (chunk) => {
      if (!head) return res.write(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return undefined;
      for (const line of head.subarray(0, end).toString().split('\r\n')) {
        const [name, value] = line.split(/: (.*)/);
        if (name === 'Status') res.statusCode = parseInt(value, 10);
        else res.setHeader(name, value);
      }
      const rest = head.subarray(end + 4);
      head = null;
      return rest.length ? res.write(rest) : undefined;
    });
    cgi.on('close', () => res.end());
    cgi.stdin.on('error', () => {});
    req.pipe(cgi.stdin);
  }

  // ---- for tests ----------------------------------------------------------------

  async control(req, res, url) {
    const name = url.pathname.slice('/_fake/'.length);
    const raw = await readBody(req);
    let status = 200;
    let text;
    try {
      const answer = await this.call(name, raw.length ? JSON.parse(raw) : {});
      text = JSON.stringify(answer ?? null);
    } catch (error) {
      [status, text] = [400, error.message];
    }
    res.writeHead(status, { 'content-length': Buffer.byteLength(text) });
    res.end(text);
  }

  async call(name, args = {}) {
    if (!Object.hasOwn(CONTROL, name)) throw new Error(`no function "${name}"`);
    return CONTROL[name](this, args);
  }

  stats() {
    return { ...this.counts, violations: this.violations.length,
      broken: this.broken.length, faults: this.faults.done.length };
  }
}

// What a test can do, by name; all arguments in one object. The store says what
// they are.
const CONTROL = {
  addUser: (f, { login, ...more }) => f.store.user(login, more),
  addRepo: (f, args) => {
    const { name, dir, id } = f.store.addRepo(args);
    return { name, dir, id };
  },
  addToken: (f, { token, ...about }) => f.store.token(
    token || f.host.makeToken(about.kind || 'personal'), about),
  addChange: (f, args) => f.store.addChange(args),
  commit: (f, args) => f.store.commit(args),
  change: (f, { repo, number, ...edit }) => {
    const change = f.store.change(repo, number);
    if (!change) throw new Error(`no change ${number}`);
    Object.assign(change, edit);
    return change;
  },
  repo: (f, { repo }) => {
    const { changes, permissions, ...rest } = f.store.repo(repo);
    return { ...rest, permissions: Object.fromEntries(permissions),
      changes: [...changes.keys()] };
  },
  setPermission: (f, { repo, login, permission }) => {
    f.store.user(login);
    const { permissions } = f.store.repo(repo);
    if (permission) permissions.set(login, permission);
    else permissions.delete(login);
  },
  // GitHub: {id, slug, public_key (PEM; made if missing)} -> {…, private_key}
  setApp: (f, args) => f.host.setApp(args),
  // GitHub: {repos, permissions, account} -> {id}
  install: (f, args) => f.host.install(args),
  // By a person: {repo, number, body, author} -> the note
  comment: (f, { repo, number, body, author }) =>
    f.host.personComments(f.store.change(repo, number), body, author),
  resolve: (f, { repo, number, index = 0, resolved = true }) => {
    const thread = f.store.change(repo, number).threads[index];
    Object.assign(thread, { resolved, resolver: resolved ? 'dev' : null });
  },
  expireTokens: (f) => {
    for (const t of f.store.tokens.values())
      if (t.kind === 'installation') t.expires_at = Date.now() - 1;
  },
  fault: (f, args) => f.faults.add(args),
  chaos: (f, args) => f.faults.chaos(args),
  clearFaults: (f) => f.faults.clear(),
  faults: (f) => f.faults.done,
  options: (f, args) => Object.assign(f.options, args),
  // {method, path: a regular expression, write}
  requests: (f, { method, path, write }) => f.requests.filter((r) =>
    (!method || r.method === method) && (!path || new RegExp(path).test(r.path))
    && (write === undefined || Boolean(r.write) === write)),
  violations: (f) => f.violations,
  broken: (f) => f.broken,
  stats: (f) => f.stats(),
  reset: (f) => f.reset(),
  // As a person would see the change, or a commit: Markdown
  render: (f, args) => render(f, args),
  // {url, secret, events}
  addHook: (f, args) => f.hooks.add(args),
  // {event, action, repo, number …}: hooks.js
  emit: (f, args) => f.hooks.emit(args),
  deliveries: (f) => f.hooks.deliveries,
  redeliver: (f, { id }) => f.hooks.redeliver(id),
  url: (f) => f.url,
  newSecret: () => crypto.randomBytes(20).toString('hex'),
};

module.exports = { Fake, CONTROL };
