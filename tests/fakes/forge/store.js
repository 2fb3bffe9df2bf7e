// tests/fakes/forge/store.js - repositories, changes, people, of whatever host.
// SPDX-License-Identifier: Apache-2.0
//
// Commits and diffs are those of real Git repositories: a push to one, whoever
// does it, moves the changes of its branch.
'use strict';

const { execFileSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { parseDiff, readFile, findLine, moveLine } = require('./validate');

const GIT_ENV = { PATH: process.env.PATH, HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_COUNT: '3',
  GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*',
  GIT_CONFIG_KEY_1: 'core.quotePath', GIT_CONFIG_VALUE_1: 'false',
  GIT_CONFIG_KEY_2: 'gc.auto', GIT_CONFIG_VALUE_2: '0',
  GIT_AUTHOR_NAME: 'T', GIT_AUTHOR_EMAIL: 't@example.org',
  GIT_COMMITTER_NAME: 'T', GIT_COMMITTER_EMAIL: 't@example.org' };
const MAX_GIT = 256 << 20;

function git(dir, args, input) {
  return execFileSync('git', ['-C', dir, ...args], { env: GIT_ENV, input,
    maxBuffer: MAX_GIT, stdio: ['pipe', 'pipe', 'pipe'] }).toString();
}

const stamp = (at = Date.now()) =>
  new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

const quoted = (text) => (/^"|[\n\\]/.test(text)
  ? JSON.stringify(text) : text);

class Store {
  constructor({ dir, headRefs }) {
    this.dir = dir;
    this.headRefs = headRefs; // refs/pull/N/head or as the host calls it
    this.users = new Map();
    this.repos = new Map();
    this.tokens = new Map();
    this.diffs = new Map();
    this.lastId = 1000;
  }

  id() {
    return ++this.lastId;
  }

  // ---- people ---------------------------------------------------------------

  user(login, more = {}) {
    if (!this.users.has(login))
      this.users.set(login, { id: this.id(), login, bot: /\[bot\]$/.test(login) });
    return Object.assign(this.users.get(login), more);
  }

  // {login, kind, repos: names or null for all, permissions, expires_at (ms)}
  token(token, about) {
    this.user(about.login);
    this.tokens.set(token, { token, kind: 'personal', repos: null,
      permissions: null, expires_at: Infinity, ...about });
    return token;
  }

  // ---- repositories -----------------------------------------------------------

  // {name, git (a bare repository; made if missing), private (true),
  // default_branch, fork_of, permissions: {login: admin|write|read}}
  addRepo({ name, private: hidden = true, git: dir, fork_of = null,
    default_branch = 'main', permissions = {} }) {
    const own = dir || path.join(this.dir, `${name}.git`);
    if (!fs.existsSync(own)) {
      fs.mkdirSync(own, { recursive: true });
      if (fork_of)
        execFileSync('git', ['clone', '-q', '--bare', this.repo(fork_of).dir, own],
          { env: GIT_ENV });
      else
        execFileSync('git', ['init', '-q', '--bare', '-b', default_branch, own],
          { env: GIT_ENV });
    }
    git(own, ['config', 'http.receivepack', 'true']);
    git(own, ['config', 'uploadpack.allowAnySHA1InWant', 'true']);
    const repo = { id: this.id(), name, private: hidden, dir: own, fork_of,
      default_branch, permissions: new Map(Object.entries(permissions)),
      changes: new Map(), last: 0, statuses: [], checks: [], pipelines: [] };
    this.repos.set(name, repo);
    this.user(name.split('/')[0]);
    for (const login of repo.permissions.keys()) this.user(login);
    return repo;
  }

  repo(name) {
    const repo = this.repos.get(name);
    if (!repo) throw new Error(`no repository ${name}`);
    return repo;
  }

  sha(repo, ref) {
    try {
      return git(repo.dir, ['rev-parse', '-q', '--verify', `${ref}^{commit}`])
        .trim();
    } catch {
      return null;
    }
  }

  // Files (null: removed) on top of a branch, or of `from`; the commit.
  commit({ repo: name, branch, files, from, message = 'a change' }) {
    const repo = this.repo(name);
    const ref = `refs/heads/${branch}`;
    const parent = from ? this.sha(repo, from) : this.sha(repo, ref);
    const parts = [`commit ${ref}\ncommitter T <t@example.org> ` +
      `${Math.floor(Date.now() / 1000)} +0000\n` +
      `data ${Buffer.byteLength(message)}\n${message}\n`];
    if (parent) parts.push(`from ${parent}\n`);
    for (const [file, text] of Object.entries(files)) {
      if (text === null) {
        parts.push(`D ${quoted(file)}\n`);
        continue;
      }
      const bytes = Buffer.from(text);
      parts.push(`M 100644 inline ${quoted(file)}\ndata ${bytes.length}\n`,
        bytes, '\n');
    }
    git(repo.dir, ['fast-import', '--quiet', '--force'],
      Buffer.concat(parts.map((p) => Buffer.from(p))));
    return this.sha(repo, ref);
  }

  // ---- changes ----------------------------------------------------------------

  // {repo, head: a branch, base: a branch, fork: its repository's name or null,
  // title, author, labels, draft, body}; the number
  addChange({ repo: name, head, base, fork = null, title = 'A change',
    author = 'dev', labels = [], draft = false, body = '' }) {
    const repo = this.repo(name);
    const change = { id: this.id(), number: ++repo.last, repo: name,
      head_repo: fork || name, head_ref: head,
      base_ref: base || repo.default_branch, title, body, author, labels, draft,
      state: 'open', versions: [], threads: [], reviews: [], comments: [],
      created_at: stamp(), head_sha: null };
    this.user(author);
    repo.changes.set(change.number, change);
    this.refresh(change);
    return change.number;
  }

  change(name, number) {
    const change = this.repos.get(name)?.changes.get(+number);
    if (change) this.refresh(change);
    return change;
  }

  // Take in what was pushed since.
  refresh(change) {
    if (change.state !== 'open') return;
    const repo = this.repo(change.repo);
    const from = this.repo(change.head_repo);
    const head = this.sha(from, `refs/heads/${change.head_ref}`);
    const start = this.sha(repo, `refs/heads/${change.base_ref}`);
    if (!head || (head === change.head_sha && start === change.start_sha)) return;
    const ref = this.headRefs.replace('N', change.number);
    if (from !== repo)
      git(repo.dir, ['fetch', '-q', from.dir, `+${head}:${ref}`]);
    else
      git(repo.dir, ['update-ref', ref, head]);
    const before = change.head_sha;
    change.head_sha = head;
    change.start_sha = start;
    change.base_sha = this.mergeBase(repo, start, head);
    change.versions.push({ base: change.base_sha, start, head });
    if (before && before !== head)
      for (const thread of change.threads) this.moveThread(change, thread);
  }

  mergeBase(repo, a, b) {
    try {
      return git(repo.dir, ['merge-base', a, b]).trim();
    } catch {
      return a;
    }
  }

  // The files of base...head, with hunks, and the text.
  diff(change, head = change.head_sha, base = null) {
    const repo = this.repo(change.repo);
    const from = base || (head === change.head_sha ? change.base_sha
      : this.mergeBase(repo, change.start_sha, head));
    const key = `${change.repo} ${from} ${head}`;
    if (!this.diffs.has(key)) {
      const args = ['diff', '--no-color', '--no-ext-diff', '-M', '--full-index',
        '--src-prefix=a/', '--dst-prefix=b/'];
      const text = git(repo.dir, [...args, from, head]);
      const raw = git(repo.dir, [...args, '--raw', '-z', from, head]);
      this.diffs.set(key, { text, files: parseDiff(text, raw) });
    }
    return this.diffs.get(key);
  }

  file(change, name, head) {
    return this.diff(change, head).files
      .find((f) => (f.status === 'D' ? f.oldPath : f.newPath) === name);
  }

  isPart(change, sha) {
    return change.versions.some((v) => v.head === sha) || (() => {
      const repo = this.repo(change.repo);
      try {
        git(repo.dir, ['merge-base', '--is-ancestor', sha, change.head_sha]);
        return sha !== change.base_sha;
      } catch {
        return false;
      }
    })();
  }

  // ---- threads on lines -------------------------------------------------------

  // at: {path, old_path, side: 'old'|'new', line, start_line, start_side, commit}
  addThread(change, at, note) {
    const thread = { id: crypto.createHash('sha1').update(`t${this.id()}`)
      .digest('hex'), ...at, original_line: at.line, resolved: false,
    resolver: null, outdated: false, notes: [] };
    change.threads.push(thread);
    this.addNote(thread, note);
    if (at.commit !== change.head_sha) this.moveThread(change, thread);
    return thread;
  }

  addNote(thread, { body, author, ...more }) {
    const note = { id: this.id(), body, author, created_at: stamp(),
      updated_at: stamp(), minimized: null, ...more };
    thread.notes.push(note);
    return note;
  }

  // After a push: to where its line is now, or nowhere.
  moveThread(change, thread) {
    if (thread.outdated || thread.whole_file) return;
    const repo = this.repo(change.repo);
    const move = (side, number) => {
      if (side === 'old' || number == null) return number;
      const text = git(repo.dir, ['diff', '-U0', '--no-color', thread.commit,
        change.head_sha, '--', thread.path]);
      return moveLine(text.split(/^(?=diff --git )/m).flatMap(readFile), number);
    };
    const line = move(thread.side, thread.line);
    const file = this.file(change, thread.path);
    const found = line && file && findLine(file, thread.side, line);
    if (!found) {
      thread.outdated = true;
      return;
    }
    if (thread.start_line)
      thread.start_line = move(thread.start_side, thread.start_line) || line;
    Object.assign(thread, { line, commit: change.head_sha });
    if (thread.old_line && found.type === ' ') thread.old_line = found.old;
  }

  findNote(name, id) {
    for (const change of this.repos.get(name)?.changes.values() || []) {
      this.refresh(change);
      for (const thread of change.threads) {
        const note = thread.notes.find((n) => n.id === +id);
        if (note) return { change, thread, note };
      }
    }
    return null;
  }

  findComment(name, id) {
    for (const change of this.repos.get(name)?.changes.values() || []) {
      const note = change.comments.find((n) => n.id === +id);
      if (note) return { change, note };
    }
    return null;
  }
}

module.exports = { Store, git, stamp, GIT_ENV };
