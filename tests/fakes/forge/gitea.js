// tests/fakes/forge/gitea.js - Gitea and Forgejo.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('crypto');
const { Refusal, findLine } = require('./validate');
const { makeRoutes, findRoute, paginate } = require('./router');
const { stamp } = require('./store');

const LEVELS = { read: 1, write: 2, admin: 3, owner: 4 };
const STATES = ['pending', 'success', 'error', 'failure', 'warning'];
const EVENTS = ['APPROVED', 'PENDING', 'COMMENT', 'REQUEST_CHANGES'];
const PAGE = { size: 'limit', most: 50, first: 50 };

const refuse = (status, message) => new Refusal(status, { message,
  url: '/api/swagger' });
const notFound = () => refuse(404, 'The target couldn\'t be found.');

const AT = '/repos/:owner/:repo';
const PULL = `${AT}/pulls/:number`;
const ROUTES = makeRoutes({
  'GET /version': [() => ({ body: { version: '1.22.0' } }), 'any'],
  'GET /user': [(h, c) => ({ body: h.userJson(c.token.login) }), 'user'],
  'GET /users/:login': [(h, c) => {
    if (!h.store.users.has(c.params.login)) throw notFound();
    return { body: h.userJson(c.params.login) };
  }, 'any'],
  [`GET ${AT}`]: [(h, c) => ({ body: h.repoJson(c.repo) }), 'read'],
  [`GET ${AT}/collaborators/:login`]: [(h, c) => ({ status:
    c.repo.permissions.has(c.params.login) ? 204 : 404 }), 'read'],
  [`GET ${AT}/collaborators/:login/permission`]: [(h, c) => h.permission(c), 'read'],
  [`GET ${AT}/pulls`]: [(h, c) => h.pulls(c), 'read'],
  [`GET ${PULL}.diff`]: [(h, c) => ({ body: h.store.diff(c.change).text,
    type: 'text/plain; charset=utf-8' }), 'read'],
  [`GET ${PULL}`]: [(h, c) => ({ body: h.pullJson(c.change) }), 'read'],
  [`GET ${PULL}/files`]: [(h, c) => h.page(c,
    h.store.diff(c.change).files.map(fileJson)), 'read'],
  [`GET ${PULL}/reviews`]: [(h, c) => h.page(c, h.reviewsSeen(c)
    .map((r) => h.reviewJson(c.change, r))), 'read'],
  [`POST ${PULL}/reviews`]: [(h, c) => h.review(c), 'read'],
  [`GET ${PULL}/reviews/:id`]: [(h, c) => ({
    body: h.reviewJson(c.change, h.findReview(c)) }), 'read'],
  [`GET ${PULL}/reviews/:id/comments`]: [(h, c) => h.reviewComments(c), 'read'],
  [`POST ${AT}/statuses/:sha`]: [(h, c) => h.setStatus(c), 'write'],
  [`GET ${AT}/statuses/:sha`]: [(h, c) => h.statuses(c), 'read'],
  [`GET ${AT}/commits/*sha/statuses`]: [(h, c) => h.statuses(c), 'read'],
  [`GET ${AT}/commits/*sha/status`]: [(h, c) => h.combined(c), 'read'],
  // Not in pages: all of them.
  [`GET ${AT}/issues/:number/comments`]: [(h, c) => ({ body: c.change.comments
    .map((n) => h.commentJson(c.change, n)) }), 'read'],
  [`POST ${AT}/issues/:number/comments`]: [(h, c) => h.comment(c), 'read'],
  [`GET ${AT}/issues/comments/:id`]: [(h, c) => {
    const { change, note } = h.findAny(c);
    return { body: h.commentJson(change, note) };
  }, 'read'],
  [`PATCH ${AT}/issues/comments/:id`]: [(h, c) => h.editComment(c), 'read'],
  [`DELETE ${AT}/issues/comments/:id`]: [(h, c) => h.removeComment(c), 'read'],
});

function fileJson(file) {
  const names = { A: 'added', D: 'deleted', R: 'renamed', C: 'copied' };
  const lines = file.hunks.flatMap((h) => h.lines);
  const count = (type) => lines.filter((l) => l.type === type).length;
  return { filename: file.newPath, status: names[file.status] || 'changed',
    additions: count('+'), deletions: count('-'),
    changes: count('+') + count('-'),
    ...(file.status === 'R' ? { previous_filename: file.oldPath } : {}) };
}

class Host {
  constructor(fake) {
    this.fake = fake;
    this.prefix = '/api/v1';
    this.headRefs = 'refs/pull/N/head';
  }

  get store() {
    return this.fake.store;
  }

  setApp() {
    throw new Error('Gitea has no Apps');
  }

  install() {
    throw new Error('Gitea has no Apps');
  }

  // ---- who ------------------------------------------------------------------------

  makeToken() {
    return crypto.randomBytes(20).toString('hex');
  }

  given(ctx) {
    return /^(?:token|bearer) +(\S+)$/i.exec(ctx.headers.authorization || '')?.[1];
  }

  kindOf(token) {
    return this.store.tokens.get(token)?.kind || 'unknown';
  }

  tokenKind(ctx) {
    const token = this.given(ctx);
    return token ? this.kindOf(token) : 'none';
  }

  isWrite(ctx) {
    return !['GET', 'HEAD'].includes(ctx.method);
  }

  level(token, repo) {
    const base = repo.private ? 0 : 1;
    if (!token || (token.repos && !token.repos.includes(repo.name))) return base;
    if (repo.name.startsWith(`${token.login}/`)) return LEVELS.owner;
    return LEVELS[repo.permissions.get(token.login)] || base;
  }

  gitAccess(repo, password, push) {
    const token = password && this.store.tokens.get(password);
    if (!repo || (password && !token)) return false;
    return this.level(token, repo) >= (push ? 2 : 1);
  }

  async handle(ctx) {
    if (!ctx.path.startsWith(this.prefix)) throw notFound();
    const { route, params } = findRoute(ROUTES, ctx.method,
      ctx.path.slice(this.prefix.length));
    ctx.params = params;
    const given = this.given(ctx);
    ctx.token = given ? this.store.tokens.get(given) : null;
    if (given && !ctx.token) throw refuse(401, 'user does not exist [uid: 0]');
    if (!ctx.token && (this.isWrite(ctx) || route.needs === 'user'))
      throw refuse(401, 'token is required');
    if (route.needs !== 'any' && route.needs !== 'user')
      this.find(ctx, route.needs);
    return route.fn(this, ctx);
  }

  find(ctx, needs) {
    ctx.repo = this.store.repos.get(`${ctx.params.owner}/${ctx.params.repo}`);
    const level = ctx.repo ? this.level(ctx.token, ctx.repo) : 0;
    if (!level) throw notFound();
    if (level < LEVELS[needs])
      throw refuse(403, 'user should have a permission to write to a repo');
    if (ctx.params.number === undefined) return;
    ctx.change = this.store.change(ctx.repo.name, ctx.params.number);
    if (!ctx.change) throw notFound();
  }

  commonHeaders() {
    return { 'x-content-type-options': 'nosniff' };
  }

  page(ctx, list) {
    return paginate(this.fake, ctx, list, PAGE);
  }

  // ---- people, repositories, changes ------------------------------------------------

  userJson(login) {
    const user = this.store.user(login);
    return { id: user.id, login, login_name: '', full_name: '', username: login,
      email: `${login}@noreply.example.org`, is_admin: false,
      html_url: `${this.fake.url}/${login}` };
  }

  permission(ctx) {
    const { login } = ctx.params;
    const own = ctx.token?.login === login;
    if (!own && this.level(ctx.token, ctx.repo) < LEVELS.admin)
      throw refuse(403, 'Only admins can query all permissions, repo admins can ' +
        'query all repo permissions, users can query only their own');
    if (!this.store.users.has(login)) throw notFound();
    const owner = ctx.repo.name.startsWith(`${login}/`);
    const permission = owner ? 'owner' : ctx.repo.permissions.get(login) ||
      (ctx.repo.private ? 'none' : 'read');
    return { body: { permission, role_name: permission,
      user: this.userJson(login) } };
  }

  repoJson(repo) {
    const [owner, name] = repo.name.split('/');
    const url = `${this.fake.url}/${repo.name}`;
    return { id: repo.id, name, full_name: repo.name, private: repo.private,
      owner: this.userJson(owner), fork: Boolean(repo.fork_of), html_url: url,
      clone_url: `${url}.git`, default_branch: repo.default_branch,
      ssh_url: `git@127.0.0.1:${repo.name}.git`, archived: false };
  }

  pullJson(change) {
    const end = (name, ref, sha) => {
      const repo = this.store.repo(name);
      return { label: ref, ref, sha, repo_id: repo.id, repo: this.repoJson(repo) };
    };
    const url = `${this.fake.url}/${change.repo}/pulls/${change.number}`;
    return { id: change.id, number: change.number, url, html_url: url,
      user: this.userJson(change.author), title: change.title, body: change.body,
      labels: change.labels.map((name, i) => ({ id: i + 1, name,
        color: 'ededed' })), state: change.state === 'open' ? 'open' : 'closed',
      draft: change.draft, is_locked: false, mergeable: true,
      merged: change.state === 'merged', merged_at: null,
      diff_url: `${url}.diff`, patch_url: `${url}.patch`,
      merge_base: change.base_sha, created_at: change.created_at,
      updated_at: stamp(),
      head: end(change.head_repo, change.head_ref, change.head_sha),
      base: end(change.repo, change.base_ref, change.start_sha) };
  }

  pulls(ctx) {
    const state = ctx.query.get('state') || 'open';
    return this.page(ctx, [...ctx.repo.changes.keys()].reverse()
      .map((n) => this.store.change(ctx.repo.name, n))
      .filter((c) => state === 'all' || (state === 'open') === (c.state === 'open'))
      .map((c) => this.pullJson(c)));
  }

  // ---- statuses -----------------------------------------------------------------------

  setStatus({ repo, params, body, token }) {
    const { state, context, description = '', target_url = '' } = body || {};
    if (!STATES.includes(state)) throw refuse(422, `[State]: unknown "${state}"`);
    const sha = this.store.sha(repo, params.sha);
    if (!sha) throw refuse(400, `commit ${params.sha} does not exist`);
    if (!context) this.fake.violation('no context', { sha });
    const made = { id: this.store.id(), sha, state, context: context || 'default',
      description, target_url, creator: token.login, created_at: stamp() };
    repo.statuses.push(made);
    return { status: 201, body: this.statusJson(made) };
  }

  // The field is "status", not "state" as in the request.
  statusJson(s) {
    return { id: s.id, status: s.state, context: s.context,
      description: s.description, target_url: s.target_url, url: '',
      creator: this.userJson(s.creator), created_at: s.created_at,
      updated_at: s.created_at };
  }

  statusesOf({ repo, params }) {
    const sha = this.store.sha(repo, params.sha);
    if (!sha) throw notFound();
    return repo.statuses.filter((s) => s.sha === sha).reverse();
  }

  statuses(ctx) {
    return this.page(ctx, this.statusesOf(ctx).map((s) => this.statusJson(s)));
  }

  combined(ctx) {
    const all = this.statusesOf(ctx);
    const latest = all.filter((s, i) =>
      i === all.findIndex((o) => o.context === s.context));
    const worst = ['error', 'failure', 'warning', 'pending', 'success']
      .find((state) => latest.some((s) => s.state === state));
    return { body: { state: worst || '', sha: latest[0]?.sha || '',
      total_count: latest.length,
      statuses: latest.map((s) => this.statusJson(s)) } };
  }

  // ---- reviews --------------------------------------------------------------------------

  checkReview(ctx, body, comments) {
    const { event = 'PENDING' } = body;
    if (!EVENTS.includes(event)) throw refuse(422, `unknown event ${event}`);
    const own = ctx.token.login === ctx.change.author;
    if (own && event === 'APPROVED')
      throw refuse(422, 'approve your own pull is not allowed');
    if (own && event === 'REQUEST_CHANGES')
      throw refuse(422, 'reject your own pull is not allowed');
    if (event !== 'APPROVED' && event !== 'PENDING' && !body.body &&
        !comments.length)
      throw refuse(422, `review event ${event} requires a body or a comment`);
  }

  // It takes any line: what is not in the diff is seen by nobody.
  makeThread(ctx, review, c) {
    const side = c.new_position > 0 ? 'new' : 'old';
    const line = c.new_position > 0 ? c.new_position : c.old_position;
    const file = this.store.file(ctx.change, c.path, review.commit);
    if (!c.body || !c.path || !(line > 0))
      this.fake.violation('comment', { comment: c });
    if (c.new_position > 0 && c.old_position > 0)
      this.fake.violation('both positions', { comment: c });
    if (!file || !findLine(file, side, line))
      this.fake.violation('outside the diff', { comment: c });
    this.store.addThread(ctx.change, { path: c.path, side, line,
      commit: review.commit, original_commit: review.commit },
    { body: c.body, author: review.author, review: review.id });
  }

  review(ctx) {
    const body = ctx.body || {};
    const comments = body.comments || [];
    this.checkReview(ctx, body, comments);
    const commit = body.commit_id || ctx.change.head_sha;
    if (!body.commit_id) this.fake.violation('unpinned', { path: ctx.path });
    if (!this.store.sha(ctx.repo, commit)) throw notFound();
    const review = { id: this.store.id(), author: ctx.token.login, commit,
      body: body.body || '', state: body.event || 'PENDING',
      submitted_at: stamp() };
    if (review.state === 'PENDING')
      this.fake.violation('pending review', { path: ctx.path });
    ctx.change.reviews.push(review);
    for (const c of comments) this.makeThread(ctx, review, c);
    return { body: this.reviewJson(ctx.change, review) };
  }

  reviewsSeen(ctx) {
    return ctx.change.reviews.filter((r) => r.state !== 'PENDING' ||
      r.author === ctx.token?.login);
  }

  findReview(ctx) {
    const found = this.reviewsSeen(ctx).find((r) => r.id === +ctx.params.id);
    if (!found) throw notFound();
    return found;
  }

  reviewJson(change, r) {
    const own = change.threads.filter((t) => t.notes[0].review === r.id);
    return { id: r.id, user: this.userJson(r.author), team: null, state: r.state,
      body: r.body, commit_id: r.commit, stale: r.commit !== change.head_sha,
      official: false, dismissed: false, comments_count: own.length,
      submitted_at: r.submitted_at, updated_at: r.submitted_at,
      html_url: `${this.fake.url}/${change.repo}/pulls/${change.number}`,
      pull_request_url:
        `${this.fake.url}/${change.repo}/pulls/${change.number}` };
  }

  reviewComments(ctx) {
    const review = this.findReview(ctx);
    return { body: ctx.change.threads
      .filter((t) => t.notes[0].review === review.id)
      .flatMap((t) => t.notes.map((n) => this.lineJson(ctx.change, t, n))) };
  }

  lineJson(change, t, note) {
    return { id: note.id, body: note.body, user: this.userJson(note.author),
      resolver: t.resolver ? this.userJson(t.resolver) : null, path: t.path,
      pull_request_review_id: note.review, commit_id: t.commit,
      original_commit_id: t.original_commit, diff_hunk: '',
      position: t.side === 'new' ? t.line : 0,
      original_position: t.side === 'old' ? t.line : 0,
      created_at: note.created_at, updated_at: note.updated_at,
      html_url: `${this.fake.url}/${change.repo}/pulls/${change.number}` +
        `#issuecomment-${note.id}` };
  }

  // ---- comments ---------------------------------------------------------------------------

  commentJson(change, note) {
    return { id: note.id, body: note.body, user: this.userJson(note.author),
      created_at: note.created_at, updated_at: note.updated_at, assets: [],
      html_url: `${this.fake.url}/${change.repo}/pulls/${change.number}` +
        `#issuecomment-${note.id}`, issue_url: '', pull_request_url:
        `${this.fake.url}/${change.repo}/pulls/${change.number}` };
  }

  checkBody(body) {
    if (!body?.body) throw refuse(422, '[Body]: Required');
  }

  personComments(change, body, author) {
    const note = { id: this.store.id(), body, author, created_at: stamp(),
      updated_at: stamp() };
    change.comments.push(note);
    return this.commentJson(change, note);
  }

  comment(ctx) {
    this.checkBody(ctx.body);
    return { status: 201, body: this.personComments(ctx.change, ctx.body.body,
      ctx.token.login) };
  }

  // Comments on lines have numbers of the same kind.
  findAny(ctx) {
    const found = this.store.findComment(ctx.repo.name, ctx.params.id) ||
      this.store.findNote(ctx.repo.name, ctx.params.id);
    if (!found) throw notFound();
    return found;
  }

  ownComment(ctx) {
    const found = this.findAny(ctx);
    if (found.note.author !== ctx.token.login &&
        this.level(ctx.token, ctx.repo) < LEVELS.admin)
      throw refuse(403, 'user should be the author or an admin');
    return found;
  }

  editComment(ctx) {
    const { change, note } = this.ownComment(ctx);
    this.checkBody(ctx.body);
    Object.assign(note, { body: ctx.body.body, updated_at: stamp() });
    return { body: this.commentJson(change, note) };
  }

  removeComment(ctx) {
    const { change, thread, note } = this.ownComment(ctx);
    change.comments = change.comments.filter((n) => n !== note);
    if (thread) change.threads = change.threads.filter((t) => t !== thread);
    return { status: 204 };
  }
}

module.exports = { Host };
