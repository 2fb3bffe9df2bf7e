// tests/fakes/forge/github.js - GitHub: who may ask, repositories and Apps.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('crypto');
const { Refusal, readJwt } = require('./validate');
const { makeRoutes, findRoute, paginate } = require('./router');
const { stamp } = require('./store');
const checks = require('./github_checks');
const reviews = require('./github_reviews');
const graphql = require('./github_graphql');

const HOUR = 3600 * 1000;
const LEVELS = { read: 1, write: 2, admin: 3 };
const MAX_DIFF_LINES = 20000;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-';
const NOT_FOUND = { message: 'Not Found',
  documentation_url: 'https://docs.github.com/rest', status: '404' };
const notFound = () => new Refusal(404, NOT_FOUND);

// What each route needs of a token: permission:level, `app` for a JWT.
const ROUTES = makeRoutes({
  'GET /app': [(h) => ({ body: h.appJson() }), 'app'],
  'GET /app/installations': [(h, c) => h.page(c,
    h.installations.map((i) => h.installationJson(i))), 'app'],
  'GET /app/installations/:id': [(h, c) => ({
    body: h.installationJson(h.installation(c.params.id)) }), 'app'],
  'POST /app/installations/:id/access_tokens': [(h, c) => h.mint(c), 'app'],
  'GET /app/hook/deliveries': [(h, c) => h.deliveries(c), 'app'],
  'GET /app/hook/deliveries/:id': [(h, c) => h.delivery(c), 'app'],
  'POST /app/hook/deliveries/:id/attempts': [(h, c) => h.attempt(c), 'app'],
  'GET /repos/:owner/:repo/installation': [(h, c) => h.installationOf(c), 'app'],
  'GET /user': [(h, c) => h.self(c), 'user'],
  'GET /users/:login': [(h, c) => h.person(c), 'any'],
  'GET /rate_limit': [(h) => ({ body: h.limits() }), 'any'],
  'GET /installation/repositories': [(h, c) => h.ownRepos(c), 'any'],
  'POST /graphql': [(h, c) => graphql.serve(h, c), 'any'],
  'POST /api/graphql': [(h, c) => graphql.serve(h, c), 'any'],
  'GET /repos/:owner/:repo': [(h, c) => ({ body: h.repoJson(c.repo) }),
    'metadata:read'],
  'GET /repos/:owner/:repo/pulls': [(h, c) => h.pulls(c), 'pull_requests:read'],
  'GET /repos/:owner/:repo/pulls/:number': [(h, c) => h.pull(c),
    'pull_requests:read'],
  'GET /repos/:owner/:repo/pulls/:number/files': [(h, c) => h.files(c),
    'pull_requests:read'],
  'GET /repos/:owner/:repo/collaborators/:login/permission': [
    (h, c) => h.permission(c), 'metadata:read'],
  'GET /repos/:owner/:repo/compare/:range': [(h, c) => h.compare(c),
    'contents:read'],
  ...checks.ROUTES,
  ...reviews.ROUTES,
});

class Host {
  constructor(fake) {
    this.fake = fake;
    this.prefix = '';
    this.headRefs = 'refs/pull/N/head';
    this.app = null;
    this.installations = [];
    this.used = 0;
    this.limit = 5000;
    this.token_length = 520;
  }

  get store() {
    return this.fake.store;
  }

  // ---- who ----------------------------------------------------------------------

  makeToken(kind, length = this.token_length) {
    const random = (n) => Array.from(crypto.randomBytes(n),
      (b) => ALPHABET[b % (kind === 'installation' ? 64 : 62)]).join('');
    return kind === 'installation' ? `ghs_${random(length - 4)}`
      : `github_pat_${random(72)}`;
  }

  bearer(ctx) {
    return /^(?:bearer|token) +(\S+)$/i.exec(ctx.headers.authorization || '')?.[1];
  }

  kindOf(token) {
    if (/^eyJ/.test(token)) return 'jwt';
    return this.store.tokens.get(token)?.kind || 'unknown';
  }

  tokenKind(ctx) {
    const token = this.bearer(ctx);
    return token ? this.kindOf(token) : 'none';
  }

  isWrite(ctx) {
    if (/\/(access_tokens|attempts)$/.test(ctx.path)) return false;
    if (/graphql$/.test(ctx.path)) {
      try {
        return /^\s*mutation/.test(JSON.parse(ctx.raw).query);
      } catch {
        return false;
      }
    }
    return !['GET', 'HEAD'].includes(ctx.method);
  }

  // The token's record, or null without one.
  authenticate(ctx) {
    const token = this.bearer(ctx);
    if (!token) {
      if (ctx.headers.authorization)
        throw new Refusal(401, { message: 'Bad credentials' });
      return null;
    }
    const found = this.store.tokens.get(token);
    if (!found || found.expires_at <= Date.now())
      throw new Refusal(401, { message: 'Bad credentials', status: '401',
        documentation_url: 'https://docs.github.com/rest' });
    return found;
  }

  gitAccess(repo, password, push) {
    const token = password && this.store.tokens.get(password);
    if (password && (!token || token.expires_at <= Date.now())) return false;
    if (!repo) return false;
    if (!token) return !repo.private && !push;
    return this.may(token, repo, `contents:${push ? 'write' : 'read'}`) === true;
  }

  // true, 'hidden' or 'forbidden'
  may(token, repo, needs) {
    const [name, level] = needs.split(':');
    const reads = level === 'read';
    if (!token) return repo.private ? 'hidden' : reads || 'forbidden';
    const inside = !token.repos || token.repos.includes(repo.name);
    const person = repo.permissions.get(token.login);
    const known = token.kind === 'installation' ? inside
      : inside && (person || repo.name.startsWith(`${token.login}/`));
    if (!known) return repo.private ? 'hidden' : reads || 'forbidden';
    if (name === 'metadata') return true;
    if (token.permissions)
      return LEVELS[token.permissions[name]] >= LEVELS[level] || 'forbidden';
    // Whoever can read may open an issue, or comment.
    const talks = name === 'issues' || name === 'pull_requests';
    return reads || talks || person === 'write' || person === 'admin' ||
      repo.name.startsWith(`${token.login}/`) || 'forbidden';
  }

  demand(ctx, repo, needs) {
    // Statuses and issues may be had by more than one permission.
    const answers = needs.split('|').map((n) => this.may(ctx.token, repo, n));
    if (answers.includes(true)) return;
    if (answers[0] === 'hidden') throw notFound();
    if (!ctx.token)
      throw new Refusal(401, { message: 'Requires authentication' });
    throw new Refusal(403, { message: 'Resource not accessible by ' +
      (ctx.token.kind === 'installation' ? 'integration'
        : 'personal access token'), status: '403',
    documentation_url: 'https://docs.github.com/rest' });
  }

  authorise(ctx, needs) {
    if (needs === 'app') {
      const token = this.bearer(ctx);
      if (!token || !/^bearer/i.test(ctx.headers.authorization))
        throw new Refusal(401, { message: 'A JSON web token could not be decoded' });
      readJwt(token, this.app, Math.floor(Date.now() / 1000));
      return;
    }
    ctx.token = this.authenticate(ctx);
    if (needs === 'any') return;
    if (needs === 'user') {
      if (!ctx.token)
        throw new Refusal(401, { message: 'Requires authentication' });
      if (ctx.token.kind === 'installation')
        throw new Refusal(403, { message: 'Resource not accessible by integration' });
      return;
    }
    ctx.repo = this.store.repos.get(`${ctx.params.owner}/${ctx.params.repo}`);
    if (!ctx.repo) throw notFound();
    this.demand(ctx, ctx.repo, needs);
    if (ctx.params.number !== undefined) {
      ctx.change = this.store.change(ctx.repo.name, ctx.params.number);
      if (!ctx.change) throw notFound();
    }
  }

  async handle(ctx) {
    if (!ctx.headers['user-agent'])
      throw new Refusal(403, 'Request forbidden by administrative rules. Please ' +
        'make sure your request has a User-Agent header ' +
        '(https://docs.github.com/en/rest/overview/resources-in-the-rest-api' +
        '#user-agent-required).\r\n', { 'content-type': 'text/html' });
    if (!/json|\*\/\*|diff|patch|raw/.test(ctx.headers.accept || ''))
      this.fake.violation('accept', { path: ctx.path, was: ctx.headers.accept });
    if (++this.used > this.limit) this.refuseByLimit();
    ctx.path = ctx.path.replace(/^\/api\/v3\//, '/');
    const { route, params } = findRoute(ROUTES, ctx.method, ctx.path);
    ctx.params = params;
    this.authorise(ctx, route.needs);
    return route.fn(this, ctx);
  }

  refuseByLimit() {
    this.used = this.limit;
    throw new Refusal(403, { message: 'API rate limit exceeded',
      documentation_url: 'https://docs.github.com/rest' });
  }

  limits() {
    const core = { limit: this.limit, used: this.used, remaining: this.limit -
      this.used, reset: Math.floor((Date.now() + HOUR) / 1000) };
    return { resources: { core }, rate: core };
  }

  commonHeaders(entry) {
    const { core } = this.limits().resources;
    return { 'x-github-request-id': `FAKE:${entry.id}`,
      'x-github-media-type': 'github.v3; format=json',
      'x-ratelimit-limit': String(core.limit),
      'x-ratelimit-remaining': String(core.remaining),
      'x-ratelimit-used': String(core.used),
      'x-ratelimit-reset': String(core.reset), 'x-ratelimit-resource': 'core' };
  }

  page(ctx, list, options) {
    return paginate(this.fake, ctx, list, options);
  }

  // ---- the App --------------------------------------------------------------------

  setApp({ id = '123456', slug = 'berth', public_key, clientId = 'Iv1.fake' } = {}) {
    let private_key = null;
    if (!public_key) {
      const pair = crypto.generateKeyPairSync('rsa', { modulusLength: 2048,
        publicKeyEncoding: { type: 'spki', format: 'pem' },
        privateKeyEncoding: { type: 'pkcs1', format: 'pem' } });
      public_key = pair.publicKey;
      private_key = pair.privateKey;
    }
    this.app = { id: String(id), slug, clientId, publicKey: public_key };
    this.store.user(`${slug}[bot]`, { bot: true });
    return { id: String(id), slug, private_key };
  }

  install({ repos, account, permissions = {} }) {
    const made = { id: this.store.id(), repos, suspended: false,
      account: account || repos[0].split('/')[0],
      permissions: { metadata: 'read', contents: 'read', checks: 'write',
        statuses: 'write', pull_requests: 'write', issues: 'write',
        ...permissions } };
    for (const [name, level] of Object.entries(made.permissions))
      if (!level) delete made.permissions[name];
    this.installations.push(made);
    return { id: made.id };
  }

  installation(id) {
    const found = this.installations.find((i) => i.id === +id);
    if (!found) throw notFound();
    return found;
  }

  appJson() {
    const { id, slug, clientId } = this.app;
    return { id: +id, slug, client_id: clientId, name: slug,
      node_id: `A_${id}`, owner: this.userJson(slug), events: [],
      html_url: `${this.fake.url}/apps/${slug}`, permissions: {} };
  }

  installationJson(i) {
    return { id: i.id, account: this.userJson(i.account), app_id: +this.app.id,
      app_slug: this.app.slug, repository_selection: 'selected',
      permissions: i.permissions, suspended_at: i.suspended ? stamp() : null,
      access_tokens_url: `${this.fake.url}/app/installations/${i.id}/access_tokens`,
      target_type: 'Organization', events: [] };
  }

  installationOf({ params }) {
    const name = `${params.owner}/${params.repo}`;
    const found = this.installations.find((i) => i.repos.includes(name));
    if (!found) throw notFound();
    return { body: this.installationJson(found) };
  }

  mint({ params, body }) {
    const from = this.installation(params.id);
    if (from.suspended)
      throw new Refusal(403, { message: 'This installation has been suspended' });
    let { repos, permissions } = from;
    if (body?.repositories || body?.repository_ids) {
      const all = from.repos.map((n) => this.store.repo(n));
      repos = [...(body.repositories || []), ...(body.repository_ids || [])]
        .map((want) => all.find((r) => r.id === want ||
          r.name.split('/')[1] === want)?.name);
      if (repos.includes(undefined))
        throw new Refusal(422, { message: 'There is at least one repository that ' +
          'does not exist or is not accessible to the parent installation.' });
    }
    if (body?.permissions) {
      for (const [name, level] of Object.entries(body.permissions))
        if (!(LEVELS[from.permissions[name]] >= LEVELS[level]))
          throw new Refusal(422, { message: 'The permissions requested are not ' +
            'granted to this installation.' });
      permissions = { metadata: 'read', ...body.permissions };
    }
    const expires_at = Date.now() + HOUR;
    const token = this.store.token(this.makeToken('installation'), {
      kind: 'installation', login: `${this.app.slug}[bot]`, repos, permissions,
      installation: from.id, expires_at });
    return { status: 201, body: { token, expires_at: stamp(expires_at), permissions,
      repository_selection: 'selected',
      repositories: repos.map((n) => this.repoJson(this.store.repo(n))) } };
  }

  ownRepos(ctx) {
    if (ctx.token?.kind !== 'installation')
      throw new Refusal(403, { message: 'You must authenticate with an ' +
        'installation access token in order to list repositories for an ' +
        'installation.' });
    return this.page(ctx, ctx.token.repos, { wrap: (names) => ({
      total_count: ctx.token.repos.length,
      repositories: names.map((n) => this.repoJson(this.store.repo(n))) }) });
  }

  // ---- deliveries of its webhook ----------------------------------------------------

  deliveries(ctx) {
    const all = [...this.fake.hooks.deliveries].reverse();
    const count = Math.min(+(ctx.query.get('per_page') || 30), 100);
    const cursor = ctx.query.get('cursor');
    const from = cursor ? all.findIndex((d) => `v1_${d.id}` === cursor) : 0;
    const wanted = ctx.query.get('status');
    const some = all.slice(Math.max(from, 0)).filter((d) => !wanted ||
      (wanted === 'success') === (d.status_code < 400 && d.status_code > 0));
    const next = some[count];
    return { body: some.slice(0, count).map((d) => this.deliveryJson(d)),
      headers: next ? { link: `<${this.fake.url}${ctx.path}?per_page=${count}` +
        `&cursor=v1_${next.id}>; rel="next"` } : {} };
  }

  deliveryJson(d) {
    return { id: d.id, guid: d.guid, delivered_at: new Date(d.at).toISOString(),
      redelivery: d.redelivery, duration: d.duration, status: d.status,
      status_code: d.status_code, event: d.event, action: d.action,
      installation_id: d.installation_id, repository_id: d.repository_id,
      throttled_at: null };
  }

  delivery({ params }) {
    const found = this.fake.hooks.deliveries.find((d) => d.id === +params.id);
    if (!found) throw notFound();
    return { body: { ...this.deliveryJson(found), url: found.url,
      request: found.request, response: found.response } };
  }

  attempt({ params }) {
    if (!this.fake.hooks.deliveries.some((d) => d.id === +params.id))
      throw notFound();
    // The answer does not wait for it.
    this.fake.hooks.redeliver(+params.id);
    return { status: 202, body: {} };
  }

  // ---- people, repositories, changes --------------------------------------------------

  userJson(login) {
    const user = this.store.user(login);
    return { login, id: user.id, node_id: `U_${user.id}`, site_admin: false,
      type: user.bot ? 'Bot' : 'User', url: `${this.fake.url}/users/${login}`,
      html_url: `${this.fake.url}/${login}`, avatar_url: '', gravatar_id: '' };
  }

  self({ token }) {
    return { body: this.userJson(token.login) };
  }

  person({ params }) {
    if (!this.store.users.has(params.login)) throw notFound();
    return { body: this.userJson(params.login) };
  }

  repoJson(repo) {
    const [owner, name] = repo.name.split('/');
    const url = `${this.fake.url}/${repo.name}`;
    return { id: repo.id, node_id: `R_${repo.id}`, name, full_name: repo.name,
      owner: this.userJson(owner), private: repo.private,
      fork: Boolean(repo.fork_of), default_branch: repo.default_branch,
      visibility: repo.private ? 'private' : 'public', html_url: url,
      url: `${this.fake.url}/repos/${repo.name}`, clone_url: `${url}.git`,
      git_url: `git://127.0.0.1/${repo.name}.git`, archived: false,
      disabled: false, ssh_url: `git@127.0.0.1:${repo.name}.git` };
  }

  pullJson(change, whole = true) {
    const repo = this.store.repo(change.repo);
    const end = (name, ref, sha) => {
      const from = this.store.repos.get(name);
      const [owner] = name.split('/');
      return { label: `${owner}:${ref}`, ref, sha, user: this.userJson(owner),
        repo: from ? this.repoJson(from) : null };
    };
    const url = `${this.fake.url}/repos/${repo.name}/pulls/${change.number}`;
    const merged = change.state === 'merged';
    const bot = this.store.user(change.author).bot;
    return { id: change.id, node_id: `PR_${change.id}`, number: change.number, url,
      html_url: `${this.fake.url}/${repo.name}/pull/${change.number}`,
      state: change.state === 'open' ? 'open' : 'closed', locked: false,
      title: change.title, body: change.body, user: this.userJson(change.author),
      draft: change.draft, author_association: bot ? 'NONE' : 'CONTRIBUTOR',
      labels: change.labels.map((name, i) => ({ id: i + 1, name, color: 'ededed',
        default: false, description: null })),
      head: end(change.head_repo, change.head_ref, change.head_sha),
      base: end(change.repo, change.base_ref, change.start_sha),
      merged_at: merged ? stamp() : null, merge_commit_sha: null,
      created_at: change.created_at, updated_at: stamp(),
      ...(whole ? { merged, mergeable: null,
        changed_files: this.store.diff(change).files.length } : {}) };
  }

  pulls(ctx) {
    const state = ctx.query.get('state') || 'open';
    const head = ctx.query.get('head');
    const list = [...ctx.repo.changes.keys()].reverse()
      .map((n) => this.store.change(ctx.repo.name, n))
      .filter((c) => state === 'all' || (state === 'open') === (c.state === 'open'))
      .filter((c) => !head ||
        `${c.head_repo.split('/')[0]}:${c.head_ref}` === head);
    return this.page(ctx, list.map((c) => this.pullJson(c, false)));
  }

  pull(ctx) {
    if (!/diff|patch/.test(ctx.headers.accept || ''))
      return { body: this.pullJson(ctx.change) };
    const { text } = this.store.diff(ctx.change);
    const most = this.fake.options.max_diff_lines ?? MAX_DIFF_LINES;
    if (text.split('\n').length > most)
      throw new Refusal(406, { message: 'Sorry, the diff exceeded the maximum ' +
        `number of lines (${MAX_DIFF_LINES})`, errors: [{ code: 'too_large',
        resource: 'PullRequest', field: 'diff' }] });
    return { body: text, type: 'application/vnd.github.diff; charset=utf-8' };
  }

  fileJson(file, sha) {
    const names = { A: 'added', D: 'removed', M: 'modified', R: 'renamed',
      C: 'copied', T: 'changed' };
    const lines = file.hunks.flatMap((h) => h.lines);
    const count = (type) => lines.filter((l) => l.type === type).length;
    const path = file.status === 'D' ? file.oldPath : file.newPath;
    const at = file.text.search(/^@@ /m);
    return { sha, filename: path, status: names[file.status],
      additions: count('+'), deletions: count('-'),
      changes: count('+') + count('-'), blob_url: '', raw_url: '',
      contents_url: '', ...(at < 0 ? {} : { patch: file.text.slice(at)
        .replace(/\n$/, '') }),
      ...(file.status === 'R' ? { previous_filename: file.oldPath } : {}) };
  }

  files(ctx) {
    const { files } = this.store.diff(ctx.change);
    // No more than these, however many pages are asked for.
    return this.page(ctx, files.slice(0, 3000)
      .map((f) => this.fileJson(f, ctx.change.head_sha)));
  }

  compare(ctx) {
    const [base, head] = ctx.params.range.split('...')
      .map((ref) => this.store.sha(ctx.repo, ref));
    if (!base || !head) throw notFound();
    const change = { repo: ctx.repo.name, start_sha: base, head_sha: head };
    const merge_base = this.store.mergeBase(ctx.repo, base, head);
    const { text, files } = this.store.diff(change, head, merge_base);
    if (/diff/.test(ctx.headers.accept || ''))
      return { body: text, type: 'application/vnd.github.diff; charset=utf-8' };
    return { body: { merge_base_commit: { sha: merge_base }, total_commits: 1,
      files: files.slice(0, 300).map((f) => this.fileJson(f, head)) } };
  }

  permission(ctx) {
    const { login } = ctx.params;
    if (!this.store.users.has(login)) throw notFound();
    const owner = ctx.repo.name.split('/')[0] === login;
    const permission = owner ? 'admin' : ctx.repo.permissions.get(login) ||
      (ctx.repo.private ? 'none' : 'read');
    return { body: { permission, role_name: permission,
      user: this.userJson(login) } };
  }

  personComments(change, body, author) {
    return reviews.addComment(this, change, body, author);
  }
}

module.exports = { Host, ROUTES };
