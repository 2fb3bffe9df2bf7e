// tests/fakes/forge/gitlab.js - GitLab: projects, merge requests, statuses.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('crypto');
const { Refusal } = require('./validate');
const { makeRoutes, findRoute, paginate } = require('./router');
const { stamp } = require('./store');
const discussions = require('./gitlab_discussions');

const LEVELS = { read: 20, write: 30, admin: 40 };
const STATES = ['pending', 'running', 'success', 'failed', 'canceled', 'skipped'];
const EVENTS = { pending: 'enqueue', running: 'run', success: 'success',
  failed: 'drop', canceled: 'cancel', skipped: 'skip' };
const BUSY_MS = 15; // how long a commit's statuses are locked
const MAX_SHORT = 255;

const refuse = (status, message) => new Refusal(status, { message });
const notFound = (what) => refuse(404, `404 ${what} Not Found`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What a route needs of a token: an access level, or none of a project.
const AT = '/projects/:id';
const MR = `${AT}/merge_requests/:iid`;
const ROUTES = makeRoutes({
  'GET /version': [() => ({ body: { version: '17.5.0', revision: 'fake' } })],
  'GET /user': [(h, c) => ({ body: h.userJson(c.token.login, true) })],
  'GET /users': [(h, c) => h.users(c)],
  'GET /users/:user': [(h, c) => h.oneUser(c)],
  'GET /personal_access_tokens/self': [(h, c) => ({
    body: { scopes: ['api'], active: true, user_id:
      h.store.user(c.token.login).id } })],
  [`GET ${AT}`]: [(h, c) => ({ body: h.projectJson(c.repo) }), 'read'],
  [`GET ${AT}/members/all`]: [(h, c) => h.page(c, h.members(c)), 'read'],
  [`GET ${AT}/members/all/:user`]: [(h, c) => h.member(c), 'read'],
  [`GET ${AT}/merge_requests`]: [(h, c) => h.merges(c), 'read'],
  [`GET ${MR}`]: [(h, c) => ({ body: h.mergeJson(c.change) }), 'read'],
  [`GET ${MR}/changes`]: [(h, c) => ({ body: { ...h.mergeJson(c.change),
    overflow: false, changes: h.store.diff(c.change).files.map(fileJson) } }),
  'read'],
  [`GET ${MR}/diffs`]: [(h, c) => h.page(c,
    h.store.diff(c.change).files.map(fileJson)), 'read'],
  [`GET ${MR}/raw_diffs`]: [(h, c) => ({ body: h.store.diff(c.change).text,
    type: 'text/plain' }), 'read'],
  [`GET ${MR}/versions`]: [(h, c) => h.page(c, h.versions(c.change)), 'read'],
  [`POST ${AT}/statuses/:sha`]: [(h, c) => h.setStatus(c), 'write'],
  [`GET ${AT}/repository/commits/:sha/statuses`]: [(h, c) => h.statuses(c), 'read'],
  ...discussions.ROUTES,
});

function fileJson(file) {
  const at = file.text.search(/^@@ /m);
  return { old_path: file.oldPath, new_path: file.newPath, a_mode: '100644',
    b_mode: '100644', new_file: file.status === 'A',
    renamed_file: file.status === 'R', deleted_file: file.status === 'D',
    diff: at < 0 ? '' : file.text.slice(at), generated_file: false,
    collapsed: false, too_large: false };
}

class Host {
  constructor(fake) {
    this.fake = fake;
    this.prefix = '/api/v4';
    this.headRefs = 'refs/merge-requests/N/head';
    this.busy = new Set();
    this.token_length = 26;
  }

  get store() {
    return this.fake.store;
  }

  setApp() {
    throw new Error('GitLab has no Apps');
  }

  install() {
    throw new Error('GitLab has no Apps');
  }

  // ---- who ----------------------------------------------------------------------

  makeToken() {
    return `glpat-${crypto.randomBytes(15).toString('base64url')}`;
  }

  given(ctx) {
    return ctx.headers['private-token'] ||
      /^Bearer +(\S+)$/i.exec(ctx.headers.authorization || '')?.[1];
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
    if (!token || (token.repos && !token.repos.includes(repo.name)))
      return repo.private ? 0 : 10;
    const own = repo.name.startsWith(`${token.login}/`);
    return own ? 50 : LEVELS[repo.permissions.get(token.login)] ||
      (repo.private ? 0 : 10);
  }

  gitAccess(repo, password, push) {
    const token = password && this.store.tokens.get(password);
    if (!repo || (password && (!token || token.expires_at <= Date.now())))
      return false;
    const level = this.level(token, repo);
    return push ? level >= 30 : level > 0;
  }

  async handle(ctx) {
    if (!ctx.path.startsWith(this.prefix)) throw notFound('Page');
    const { route, params } = findRoute(ROUTES, ctx.method,
      ctx.path.slice(this.prefix.length));
    ctx.params = params;
    const given = this.given(ctx);
    ctx.token = given ? this.store.tokens.get(given) : null;
    if (given && (!ctx.token || ctx.token.expires_at <= Date.now()))
      throw refuse(401, '401 Unauthorized');
    // Also from a form or the query, as GitLab reads all of these.
    if (ctx.method !== 'GET' && !ctx.body && ctx.raw.length)
      ctx.body = Object.fromEntries(new URLSearchParams(ctx.raw.toString()));
    ctx.body = { ...Object.fromEntries(ctx.query), ...ctx.body };
    if (!ctx.token && (this.isWrite(ctx) || !route.needs))
      throw refuse(401, '401 Unauthorized');
    if (route.needs) this.find(ctx, route.needs);
    return route.fn(this, ctx);
  }

  find(ctx, needs) {
    const { id, iid } = ctx.params;
    ctx.repo = /^\d+$/.test(id)
      ? [...this.store.repos.values()].find((r) => r.id === +id)
      : this.store.repos.get(id);
    const level = ctx.repo ? this.level(ctx.token, ctx.repo) : 0;
    if (!level) throw notFound('Project');
    // Whoever reports may write notes; statuses are the developers'.
    if (needs !== 'read' && level < LEVELS[needs])
      throw refuse(403, '403 Forbidden');
    if (iid === undefined) return;
    ctx.change = this.store.change(ctx.repo.name, iid);
    if (!ctx.change) throw refuse(404, '404 Not found');
  }

  commonHeaders(entry) {
    return { 'x-request-id': `FAKE${entry.id}`, 'ratelimit-limit': '2000',
      'ratelimit-remaining': '1999' };
  }

  page(ctx, list, options) {
    const made = paginate(this.fake, ctx, list, { first: 20, ...options });
    const { page, last, count, total } = made;
    return { body: made.body, headers: { link: made.headers.link || '',
      'x-total': String(total), 'x-page': String(page),
      'x-per-page': String(count), 'x-total-pages': String(last),
      'x-next-page': page < last ? String(page + 1) : '',
      'x-prev-page': page > 1 ? String(page - 1) : '' } };
  }

  // ---- people ---------------------------------------------------------------------

  userJson(login, whole = false) {
    const user = this.store.user(login);
    return { id: user.id, username: login, name: login, state: 'active',
      locked: false, avatar_url: null, web_url: `${this.fake.url}/${login}`,
      ...(whole ? { bot: Boolean(user.bot) } : {}) };
  }

  users(ctx) {
    const name = ctx.query.get('username')?.toLowerCase();
    return this.page(ctx, [...this.store.users.keys()]
      .filter((l) => !name || l.toLowerCase() === name)
      .map((l) => this.userJson(l)));
  }

  oneUser(ctx) {
    const user = [...this.store.users.values()]
      .find((u) => u.id === +ctx.params.user);
    if (!user) throw notFound('User');
    return { body: this.userJson(user.login, true) };
  }

  members({ repo, query }) {
    const wanted = query.get('query');
    const all = new Map(repo.permissions);
    all.set(repo.name.split('/')[0], 'owner');
    return [...all].filter(([login]) => !wanted || login.includes(wanted))
      .map(([login, level]) => ({ ...this.userJson(login),
        access_level: LEVELS[level] || 50, expires_at: null }));
  }

  member(ctx) {
    const found = this.members(ctx).find((m) => m.id === +ctx.params.user);
    if (!found) throw refuse(404, '404 Not found');
    return { body: found };
  }

  // ---- projects and merge requests ------------------------------------------------

  projectJson(repo) {
    const url = `${this.fake.url}/${repo.name}`;
    return { id: repo.id, path_with_namespace: repo.name, web_url: url,
      path: repo.name.split('/').at(-1), name: repo.name.split('/').at(-1),
      default_branch: repo.default_branch, http_url_to_repo: `${url}.git`,
      visibility: repo.private ? 'private' : 'public', archived: false,
      ...(repo.fork_of ? { forked_from_project:
        { id: this.store.repo(repo.fork_of).id } } : {}) };
  }

  mergeJson(change, whole = true) {
    const repo = this.store.repo(change.repo);
    const states = { open: 'opened' };
    return { id: change.id, iid: change.number, project_id: repo.id,
      title: change.title, description: change.body,
      state: states[change.state] || change.state, draft: change.draft,
      work_in_progress: change.draft, author: this.userJson(change.author),
      labels: change.labels, source_branch: change.head_ref,
      target_branch: change.base_ref, sha: change.head_sha,
      source_project_id: this.store.repo(change.head_repo).id,
      target_project_id: repo.id, created_at: change.created_at,
      updated_at: stamp(), detailed_merge_status: 'mergeable',
      web_url: `${this.fake.url}/${repo.name}/-/merge_requests/${change.number}`,
      ...(whole ? { changes_count: String(this.store.diff(change).files.length),
        diff_refs: { base_sha: change.base_sha, start_sha: change.start_sha,
          head_sha: change.head_sha } } : {}) };
  }

  merges(ctx) {
    const state = ctx.query.get('state') || 'all';
    const branch = ctx.query.get('source_branch');
    const list = [...ctx.repo.changes.keys()].reverse()
      .map((n) => this.store.change(ctx.repo.name, n))
      .map((c) => this.mergeJson(c, false))
      .filter((m) => state === 'all' || m.state === state)
      .filter((m) => !branch || m.source_branch === branch);
    return this.page(ctx, list);
  }

  versions(change) {
    return change.versions.map((v, i) => ({ id: i + 1, head_commit_sha: v.head,
      base_commit_sha: v.base, start_commit_sha: v.start, state: 'collected',
      created_at: change.created_at })).reverse();
  }

  // ---- statuses -------------------------------------------------------------------

  checkStatus({ body, params, repo }) {
    if (!body.state) throw refuse(400, undefined);
    if (!STATES.includes(body.state))
      throw new Refusal(400, { error: 'state does not have a valid value' });
    for (const key of ['name', 'context', 'description', 'target_url'])
      if (body[key] && [...body[key]].length > MAX_SHORT)
        throw refuse(400, { [key]: [`is too long (maximum is ${MAX_SHORT} ` +
          'characters)'] });
    if (body.target_url && !/^https?:\/\//.test(body.target_url))
      throw refuse(400, { target_url: ['is blocked: Only allowed schemes are ' +
        'http, https'] });
    if (!this.store.sha(repo, params.sha)) throw notFound('Commit');
    if (!body.ref) this.fake.violation('no ref', { path: `statuses/${params.sha}` });
  }

  async setStatus(ctx) {
    const { repo, params, body } = ctx;
    if (!body.state)
      throw new Refusal(400, { error: 'state is missing, ' +
        'state does not have a valid value' });
    this.checkStatus(ctx);
    const sha = this.store.sha(repo, params.sha);
    const lock = `${repo.name} ${sha}`;
    if (this.busy.has(lock)) throw refuse(409, '409 Conflict');
    this.busy.add(lock);
    try {
      await pause(BUSY_MS);
      return this.moveStatus(ctx, sha);
    } finally {
      this.busy.delete(lock);
    }
  }

  moveStatus({ repo, body, token }, sha) {
    const name = body.name || body.context || 'default';
    const ref = body.ref || repo.default_branch;
    // Only one that has not ended is changed: after it comes another.
    let status = repo.statuses.findLast((s) => s.sha === sha && s.name === name &&
      s.ref === ref && ['created', 'pending', 'running'].includes(s.state));
    const from = status?.state || 'created';
    const stays = (body.state === 'pending' && from !== 'created') ||
      (body.state === 'running' && from === 'running');
    if (stays)
      throw refuse(400, `Cannot transition status via :${EVENTS[body.state]} ` +
        `from :${from} (Reason(s): Status cannot transition via ` +
        `"${EVENTS[body.state]}")`);
    if (!status) {
      status = { id: this.store.id(), sha, name, ref, author: token.login,
        created_at: stamp(), started_at: null, finished_at: null };
      repo.statuses.push(status);
    }
    Object.assign(status, { state: body.state,
      description: body.description ?? status.description ?? null,
      target_url: body.target_url ?? status.target_url ?? null,
      coverage: body.coverage ?? null });
    if (body.state === 'running') status.started_at = stamp();
    if (!['pending', 'running'].includes(body.state)) status.finished_at = stamp();
    return { status: 201, body: this.statusJson(status) };
  }

  statusJson(s) {
    return { id: s.id, sha: s.sha, ref: s.ref, status: s.state, name: s.name,
      target_url: s.target_url, description: s.description,
      created_at: s.created_at, started_at: s.started_at,
      finished_at: s.finished_at, allow_failure: false, coverage: s.coverage,
      pipeline_id: 1, author: this.userJson(s.author) };
  }

  statuses(ctx) {
    const { query, repo } = ctx;
    const sha = this.store.sha(repo, ctx.params.sha);
    if (!sha) throw notFound('Commit');
    const latest = new Map();
    for (const s of repo.statuses.filter((one) => one.sha === sha))
      latest.set(query.get('all') === 'true' ? s.id : `${s.ref} ${s.name}`, s);
    return this.page(ctx, [...latest.values()].filter((s) =>
      (!query.get('name') || s.name === query.get('name')) &&
      (!query.get('ref') || s.ref === query.get('ref')))
      .map((s) => this.statusJson(s)));
  }

  personComments(change, body, author) {
    return discussions.addNote(this, change, body, author);
  }
}

module.exports = { Host, refuse };
