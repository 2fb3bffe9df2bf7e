// tests/fakes/forge/payloads.js - what hosts say in webhooks, of a fake's state.
// SPDX-License-Identifier: Apache-2.0
//
// The host's own example (GitHub's of @octokit/webhooks-examples, if the fake
// has them; GitLab's and Gitea's of tests/fixtures) with what the state has in
// place of what is in it.
'use strict';

const fs = require('fs');
const path = require('path');
const { runJson } = require('./github_checks');

const FIXTURES = path.join(__dirname, '../../fixtures');
const NO_COMMIT = '0'.repeat(40);
const fixture = (name) =>
  JSON.parse(fs.readFileSync(path.join(FIXTURES, name)));

// `over` in place of what `base` has; lists are whole.
function merge(base, over) {
  const isPlain = (v) => v && typeof v === 'object' && !Array.isArray(v);
  if (!isPlain(base) || !isPlain(over)) return over === undefined ? base : over;
  const out = { ...base };
  for (const [key, value] of Object.entries(over))
    out[key] = merge(base[key], value);
  return out;
}

// ---- GitHub ---------------------------------------------------------------------

const PULL_ACTIONS = { opened: 'opened', updated: 'synchronize',
  reopened: 'reopened', ready: 'ready_for_review', closed: 'closed',
  labeled: 'labeled' };

function example(fake, event, action) {
  const all = fake.examples?.find((e) => e.name === event)?.examples || [];
  const found = all.find((e) => e.action === action) || all[0] || {};
  const { organization, enterprise, installation, ...rest } =
    structuredClone(found);
  return rest;
}

function pushOf(f, a) {
  return { ref: a.ref || `refs/heads/${a.branch}`, before: a.before || NO_COMMIT,
    after: a.after || f.store.sha(f.store.repo(a.repo), `refs/heads/${a.branch}`)
      || NO_COMMIT };
}

function github(f, a) {
  const h = f.host;
  const repo = f.store.repo(a.repo);
  const change = a.number ? f.store.change(a.repo, a.number) : null;
  const at = h.installations.find((i) => i.repos.includes(a.repo));
  const common = { repository: h.repoJson(repo),
    sender: h.userJson(a.sender || change?.author || 'dev'),
    ...(at ? { installation: { id: at.id, node_id: `I_${at.id}` } } : {}) };
  const made = (event, action, own) => ({ event, action, repo: repo.id,
    installation: at?.id ?? null, payload: merge(example(f, event, action),
      { ...(action ? { action } : {}), ...own, ...common }) });
  if (PULL_ACTIONS[a.what])
    return made('pull_request', PULL_ACTIONS[a.what], { number: change.number,
      pull_request: h.pullJson(change),
      ...(a.what === 'updated' ? { before: a.before || NO_COMMIT,
        after: change.head_sha } : {}) });
  if (a.what === 'push') {
    const own = pushOf(f, a);
    return made('push', null, { ...own, created: own.before === NO_COMMIT,
      deleted: own.after === NO_COMMIT, forced: false, commits: a.commits || [],
      head_commit: null, pusher: { name: common.sender.login } });
  }
  if (a.what === 'comment')
    return made('issue_comment', 'created', { comment: a.comment, issue: {
      number: change.number, state: change.state === 'open' ? 'open' : 'closed',
      title: change.title, user: h.userJson(change.author),
      labels: h.pullJson(change).labels, pull_request: {
        url: `${f.url}/repos/${repo.name}/pulls/${change.number}` } } });
  if (a.what === 'rerun' || a.what === 'action')
    return checkOf(f, a, repo, made);
  throw new Error(`GitHub does not tell of "${a.what}"`);
}

// {check: a check run's id, identifier: of the button}
function checkOf(f, a, repo, made) {
  const run = repo.checks.find((r) => r.id === a.check) || repo.checks.at(-1);
  const end = (c) => ({ id: c.id, number: c.number, url: '',
    head: { ref: c.head_ref, sha: c.head_sha, repo: { id: repo.id, url: '',
      name: repo.name.split('/')[1] } },
    base: { ref: c.base_ref, sha: c.start_sha, repo: { id: repo.id, url: '',
      name: repo.name.split('/')[1] } } });
  const own = [...repo.changes.values()].filter((c) => c.state === 'open' &&
    c.head_sha === run.head_sha);
  // A fork's change is not named.
  const pulls = own.filter((c) => c.head_repo === repo.name).map(end);
  const shown = { ...runJson(f.host, repo, run), pull_requests: pulls,
    check_suite: { id: 1, head_sha: run.head_sha, pull_requests: pulls,
      head_branch: pulls.length ? own[0].head_ref : null,
      app: f.host.appJson() } };
  return a.what === 'rerun' ? made('check_run', 'rerequested', { check_run: shown })
    : made('check_run', 'requested_action', { check_run: shown,
      requested_action: { identifier: a.identifier } });
}

// ---- GitLab -----------------------------------------------------------------------

const MERGE_ACTIONS = { opened: 'open', updated: 'update', reopened: 'reopen',
  closed: 'close', ready: 'update', labeled: 'update' };

function gitlab(f, a) {
  const repo = f.store.repo(a.repo);
  const project = (r) => ({ ...f.host.projectJson(r), visibility_level:
    r.private ? 0 : 20, git_http_url: `${f.url}/${r.name}.git`,
  homepage: `${f.url}/${r.name}`, http_url: `${f.url}/${r.name}.git` });
  const change = a.number ? f.store.change(a.repo, a.number) : null;
  const login = a.sender || change?.author || 'dev';
  const user = f.host.userJson(login);
  const labels = (change?.labels || []).map((title, i) => ({ id: i + 1, title }));
  const about = change && { ...f.host.mergeJson(change), labels,
    author_id: f.store.user(change.author).id, url: '',
    last_commit: { id: change.head_sha, message: 'a change' },
    source: project(f.store.repo(change.head_repo)), target: project(repo) };
  const common = { project: project(repo), project_id: repo.id, user };
  if (a.what === 'push') {
    const own = pushOf(f, a);
    return { event: 'Push Hook', payload: merge(fixture('gitlab/push.json'),
      { ...own, ...common, checkout_sha: own.after, user_id: user.id,
        user_username: login, commits: a.commits || [],
        total_commits_count: (a.commits || []).length }) };
  }
  if (a.what === 'comment')
    return { event: 'Note Hook', payload: merge(
      fixture('gitlab/note_merge_request.json'), { ...common,
        merge_request: about, object_attributes: { id: a.comment.id,
          note: a.comment.body, noteable_type: 'MergeRequest', action: 'create',
          author_id: user.id, project_id: repo.id, system: false } }) };
  if (!MERGE_ACTIONS[a.what])
    throw new Error(`GitLab does not tell of "${a.what}"`);
  const changes = { ready: { draft: { previous: true, current: false } },
    labeled: { labels: { previous: [], current: labels } } };
  return { event: 'Merge Request Hook', payload: { ...merge(
    fixture('gitlab/merge_request.json'), { ...common, labels,
      object_attributes: { ...about, action: MERGE_ACTIONS[a.what],
        ...(a.what === 'updated' ? { oldrev: a.before || NO_COMMIT } : {}) } }),
  changes: changes[a.what] || {} } };
}

// ---- Gitea --------------------------------------------------------------------------

const GITEA_ACTIONS = { opened: 'opened', updated: 'synchronized',
  reopened: 'reopened', closed: 'closed', labeled: 'label_updated' };

function gitea(f, a) {
  const h = f.host;
  const repo = f.store.repo(a.repo);
  const change = a.number ? f.store.change(a.repo, a.number) : null;
  const common = { repository: h.repoJson(repo),
    sender: h.userJson(a.sender || change?.author || 'dev') };
  const made = (event, name, own) => ({ event,
    payload: merge(fixture(`gitea/${name}.body`), { ...own, ...common }) });
  if (a.what === 'push')
    return made('push', '01-push-', { ...pushOf(f, a), commits: a.commits || [],
      head_commit: null, pusher: common.sender });
  if (a.what === 'comment')
    return made('issue_comment', '07-issue_comment-created', { action: 'created',
      is_pull: true, comment: a.comment, issue: { number: change.number,
        title: change.title, state: change.state === 'open' ? 'open' : 'closed',
        user: h.userJson(change.author), labels: h.pullJson(change).labels,
        pull_request: { merged: false, merged_at: null } } });
  if (!GITEA_ACTIONS[a.what])
    throw new Error(`Gitea does not tell of "${a.what}"`);
  return made('pull_request', '02-pull_request-opened', { action:
    GITEA_ACTIONS[a.what], number: change.number,
  pull_request: h.pullJson(change) });
}

module.exports = { payloads: { github, gitlab, gitea } };
