// tests/lib/event_world.js - a Git host of repositories and a small API.
// SPDX-License-Identifier: Apache-2.0
'use strict';

// One server for all of a host: its repositories (git http-backend), and of its
// API what is asked before a job is made. Tests set what it says.

const { execFileSync, spawn } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');

class World {
  constructor(dir) {
    this.dir = dir;
    this.root = path.join(dir, 'repos');
    this.pulls = new Map();   // "acme/app#1": as the host tells of it
    this.files = new Map();   // the same: paths
    this.writers = new Set(); // logins
    this.private = new Set(); // repositories; they want the token
    this.asked = [];          // of the API: method and path
    this.apiAway = false;
    this.gitMute = false;     // takes what is asked, and never answers
    this.mute = [];
    this.missed = [];         // deliveries of the App, as GitHub lists them
    this.held = null;         // a list: what is asked waits in it
    this.token = 'hub-token-1';
    fs.mkdirSync(this.root, { recursive: true });
  }

  async start() {
    this.server = http.createServer((req, res) => this.serve(req, res));
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.base = `http://127.0.0.1:${this.server.address().port}`;
  }

  stop() {
    for (const socket of this.mute) socket.destroy();
    this.server.close();
    this.server.closeAllConnections();
  }

  // ---- repositories ----------------------------------------------------------

  git(repo, ...words) {
    return execFileSync('git', ['-C', path.join(this.dir, 'work', repo), ...words],
      { env: { PATH: process.env.PATH, HOME: this.dir,
        GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a@b', GIT_CONFIG_NOSYSTEM: '1' },
      stdio: ['ignore', 'pipe', 'pipe'] }).toString().trim();
  }

  makeRepo(repo) {
    const work = path.join(this.dir, 'work', repo);
    const bare = path.join(this.root, `${repo}.git`);
    fs.mkdirSync(work, { recursive: true });
    fs.mkdirSync(bare, { recursive: true });
    execFileSync('git', ['init', '-q', '--bare', '-b', 'main', bare]);
    this.git(repo, 'init', '-q', '-b', 'main');
    this.git(repo, 'remote', 'add', 'origin', bare);
  }

  // Commit files upon `from`, push to `ref`; the commit's id.
  commit(repo, from, ref, files, message = 'a change') {
    const work = path.join(this.dir, 'work', repo);
    if (from) this.git(repo, 'checkout', '-q', '--detach', from);
    for (const [name, text] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(work, name)), { recursive: true });
      fs.writeFileSync(path.join(work, name), text);
    }
    this.git(repo, 'add', '-A');
    this.git(repo, 'commit', '-q', '--allow-empty', '-m', message);
    this.git(repo, 'push', '-q', '-f', 'origin', `HEAD:${ref}`);
    return this.git(repo, 'rev-parse', 'HEAD');
  }

  release() {
    const held = this.held;
    this.held = null;
    held.forEach((go) => go());
  }

  // ---- requests --------------------------------------------------------------

  serve(req, res) {
    const url = new URL(req.url, this.base);
    if (url.pathname.startsWith('/api/')) this.api(req, res, url);
    else if (this.gitMute) this.mute.push(req.socket);
    else if (this.held) this.held.push(() => this.backend(req, res, url));
    else this.backend(req, res, url);
  }

  backend(req, res, url) {
    const repo = url.pathname.split('/').slice(1, 3).join('/')
      .replace(/\.git$/, '');
    const sent = Buffer.from((req.headers.authorization || '')
      .replace(/^Basic /, ''), 'base64').toString();
    if (this.private.has(repo) && !sent.endsWith(`:${this.token}`)) {
      res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
      return;
    }
    const cgi = spawn('git', ['http-backend'], { env: { PATH: process.env.PATH,
      GIT_PROJECT_ROOT: this.root, GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '2', GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*', GIT_CONFIG_KEY_1: 'uploadpack.allowAnySHA1InWant',
      GIT_CONFIG_VALUE_1: 'true', REQUEST_METHOD: req.method,
      PATH_INFO: url.pathname, QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: req.headers['content-type'] || '',
      HTTP_CONTENT_ENCODING: req.headers['content-encoding'] || '',
      GIT_PROTOCOL: req.headers['git-protocol'] || '',
      REMOTE_ADDR: '127.0.0.1' }, stdio: ['pipe', 'pipe', 'ignore'] });
    const chunks = [];
    req.pipe(cgi.stdin);
    cgi.stdin.on('error', () => {});
    cgi.stdout.on('data', (d) => chunks.push(d));
    cgi.on('close', () => {
      const all = Buffer.concat(chunks);
      const at = all.indexOf('\r\n\r\n');
      const headers = {};
      let status = 200;
      for (const line of all.subarray(0, at).toString().split('\r\n')) {
        const [name, value] = line.split(/: */, 2);
        if (name === 'Status') status = parseInt(value, 10);
        else if (name) headers[name] = value;
      }
      res.writeHead(at < 0 ? 500 : status, headers)
        .end(at < 0 ? '' : all.subarray(at + 4));
    });
  }

  changeOfGitlab(sha) {
    return { iid: 1, source_branch: 'topic-2', target_branch: 'main',
      source_project_id: 9, target_project_id: 1, state: 'opened', sha,
      last_commit: { id: sha } };
  }

  // What GitLab sends of a comment; `last` is the change's commit by then.
  noteOfGitlab(repo, last, { serial, note, secret }) {
    const text = JSON.stringify({ serial, object_kind: 'note',
      user: { id: 7, username: 'mia' }, project: { id: 1, visibility_level: 20,
        default_branch: 'main', path_with_namespace: repo,
        git_http_url: `${this.base}/${repo}.git` },
      object_attributes: { id: serial, noteable_type: 'MergeRequest',
        action: 'create', note }, merge_request: this.changeOfGitlab(last) });
    return { text, path: '/webhooks/gitlab',
      headers: { 'X-Gitlab-Event': 'Note Hook', 'X-Gitlab-Token': secret },
      key: crypto.createHash('sha256').update('gitlab\0').update(text)
        .digest('hex') };
  }

  // Of GitLab: one person, who may write, one project, and its changes.
  apiOfGitlab(say, rest) {
    let n;
    if (rest === 'users') return say(200, [{ id: 7, username: 'mia' }]);
    if (/\/members\/all\/7$/.test(rest)) return say(200, { access_level: 40 });
    if ((n = rest.match(/^projects\/(.*)\/merge_requests\/(\d+)$/)) &&
        this.pulls.has(`${n[1]}!${n[2]}`))
      return say(200, this.pulls.get(`${n[1]}!${n[2]}`));
    if ((n = rest.match(/^projects\/([^/]+\/[^/]+)$/)))
      return say(200, { id: 1, path_with_namespace: n[1],
        default_branch: 'main',
        http_url_to_repo: `${this.base}/${n[1]}.git` });
    return say(404, { message: 'Not found' });
  }

  api(req, res, url) {
    const say = (status, body) => res.writeHead(status,
      { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    this.asked.push(`${req.method} ${url.pathname}`);
    if (this.apiAway) return say(503, { message: 'busy' });
    // An App: its installation's token is the same.
    if (/^\/api\/app\/installations\/\d+\/access_tokens$/.test(url.pathname))
      return say(201, { token: this.token,
        expires_at: new Date(Date.now() + 3600000).toISOString().slice(0, 19) + 'Z' });
    if (/\/installation$/.test(url.pathname)) return say(200, { id: 1 });
    if (url.pathname === '/api/app/hook/deliveries') {
      const page = Number(url.searchParams.get('page') || 1);
      if (page * 100 < this.missed.length)
        res.setHeader('Link', `<${this.base}${url.pathname}?page=${page + 1}>; rel="next"`);
      return say(200, this.missed.slice(page * 100 - 100, page * 100));
    }
    if (/^\/api\/app\/hook\/deliveries\/\d+\/attempts$/.test(url.pathname))
      return say(202, {});
    if (url.pathname.startsWith('/api/v4/'))
      return this.apiOfGitlab(say, decodeURIComponent(url.pathname.slice(8)));
    if (!/(^| )hub-token-1$/.test(req.headers.authorization || ''))
      return say(401, { message: 'Bad credentials' });
    const m = url.pathname.match(/^\/api\/repos\/([^/]+\/[^/]+)\/(.*)$/);
    const rest = m ? m[2] : '';
    let n;
    if ((n = rest.match(/^collaborators\/([^/]+)\/permission$/)))
      return say(200, { permission: this.writers.has(n[1]) ? 'write' : 'read' });
    if ((n = rest.match(/^pulls\/(\d+)$/)) && this.pulls.has(`${m[1]}#${n[1]}`))
      return say(200, this.pulls.get(`${m[1]}#${n[1]}`));
    if ((n = rest.match(/^pulls\/(\d+)\/files$/)))
      return say(200, (this.files.get(`${m[1]}#${n[1]}`) || [])
        .map((filename) => ({ filename, status: 'modified' })));
    if (rest === 'pulls')
      return say(200, [...this.pulls].filter(([k, p]) =>
        k.startsWith(`${m[1]}#`) && p.state === 'open').map(([, p]) => p));
    return say(404, { message: 'Not Found' });
  }
}

module.exports = { World };
