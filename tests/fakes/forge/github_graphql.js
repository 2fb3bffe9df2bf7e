// tests/fakes/forge/github_graphql.js - threads, by GitHub's GraphQL.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { Refusal } = require('./validate');
const { answer, connection, QueryError } = require('./graphql');
const { isHidden } = require('./github_reviews');

const CLASSIFIERS = ['SPAM', 'ABUSE', 'OFF_TOPIC', 'OUTDATED', 'DUPLICATE',
  'RESOLVED', 'LOW_QUALITY'];
const forbidden = () => new QueryError('FORBIDDEN',
  'Resource not accessible by integration');
const unknown = (id) => new QueryError('NOT_FOUND',
  `Could not resolve to a node with the global id of '${id}'.`);

// Unlike REST, an App's own login has no "[bot]" here.
function actor(h, login) {
  const user = h.store.user(login);
  return { __typename: user.bot ? 'Bot' : 'User', id: `U_${user.id}`,
    databaseId: user.id, login: login.replace(/\[bot\]$/, ''),
    resourcePath: `/${login}`, url: `${h.fake.url}/${login}` };
}

class Graph {
  constructor(h, token) {
    this.h = h;
    this.token = token;
  }

  note(change, note, more) {
    return { databaseId: note.id, fullDatabaseId: String(note.id),
      body: note.body, bodyText: note.body,
      author: actor(this.h, note.author), createdAt: note.created_at,
      updatedAt: note.updated_at, isMinimized: Boolean(note.minimized),
      minimizedReason: note.minimized,
      viewerDidAuthor: note.author === this.token.login, ...more };
  }

  thread(change, t) {
    const side = { old: 'LEFT', new: 'RIGHT' };
    return { __typename: 'PullRequestReviewThread', id: `PRRT_${t.id}`,
      isResolved: t.resolved, isOutdated: t.outdated, isCollapsed: t.resolved,
      path: t.path, line: t.outdated ? null : t.line,
      originalLine: t.original_line, diffSide: side[t.side],
      startLine: t.outdated ? null : t.start_line,
      subjectType: t.whole_file ? 'FILE' : 'LINE',
      resolvedBy: t.resolver ? actor(this.h, t.resolver) : null,
      viewerCanResolve: true, viewerCanReply: true,
      comments: (args) => connection(t.notes.map((n) => this.note(change, n, {
        __typename: 'PullRequestReviewComment', id: `PRRC_${n.id}`,
        path: t.path, line: t.outdated ? null : t.line, outdated: t.outdated,
        url: `${this.h.fake.url}/${change.repo}/pull/${change.number}` +
          `#discussion_r${n.id}` })), args, 'comments') };
  }

  pull(change) {
    const seen = change.threads.filter((t) => !isHidden(change, t.notes[0]));
    return { __typename: 'PullRequest', id: `PR_${change.id}`,
      databaseId: change.id, number: change.number, title: change.title,
      state: change.state.toUpperCase(), isDraft: change.draft,
      headRefOid: change.head_sha, headRefName: change.head_ref,
      baseRefOid: change.start_sha, baseRefName: change.base_ref,
      author: actor(this.h, change.author),
      reviewThreads: (args) => connection(seen.map((t) =>
        this.thread(change, t)), args, 'reviewThreads'),
      comments: (args) => connection(change.comments.map((n) =>
        this.note(change, n, { __typename: 'IssueComment', id: `IC_${n.id}`,
          url: `${this.h.fake.url}/${change.repo}/pull/${change.number}` })),
      args, 'comments') };
  }

  repository({ owner, name }) {
    const repo = this.h.store.repos.get(`${owner}/${name}`);
    if (!repo || this.h.may(this.token, repo, 'pull_requests:read') !== true)
      throw new QueryError('NOT_FOUND', 'Could not resolve to a Repository with ' +
        `the name '${owner}/${name}'.`);
    return { __typename: 'Repository', id: `R_${repo.id}`, databaseId: repo.id,
      name, nameWithOwner: repo.name, isPrivate: repo.private,
      pullRequest: ({ number }) => {
        const change = this.h.store.change(repo.name, number);
        if (!change)
          throw new QueryError('NOT_FOUND', 'Could not resolve to a PullRequest ' +
            `with the number of ${number}.`);
        return this.pull(change);
      } };
  }

  // {change, thread, note} by a node's id, of what the token may write.
  find(id) {
    for (const repo of this.h.store.repos.values())
      for (const change of repo.changes.values()) {
        const thread = change.threads.find((t) => `PRRT_${t.id}` === id ||
          t.notes.some((n) => `PRRC_${n.id}` === id));
        const note = thread?.notes.find((n) => `PRRC_${n.id}` === id) ||
          change.comments.find((n) => `IC_${n.id}` === id);
        if (!thread && !note) continue;
        const may = this.h.may(this.token, repo, 'pull_requests:write');
        if (may === 'hidden') break;
        if (may !== true) throw forbidden();
        this.h.store.refresh(change);
        return { repo, change, thread, note };
      }
    throw unknown(id);
  }

  setResolved({ input }, resolved) {
    const { repo, change, thread } = this.find(input.threadId);
    if (`PRRT_${thread?.id}` !== input.threadId) throw unknown(input.threadId);
    // Where an App must be able to write contents for this.
    if (this.h.fake.options.resolve_needs_contents &&
        this.h.may(this.token, repo, 'contents:write') !== true)
      throw forbidden();
    thread.resolved = resolved;
    thread.resolver = resolved ? this.token.login : null;
    return { clientMutationId: input.clientMutationId ?? null,
      thread: this.thread(change, thread) };
  }

  minimize({ input }, on) {
    const { note } = this.find(input.subjectId);
    if (!note) throw unknown(input.subjectId);
    if (on && !CLASSIFIERS.includes(input.classifier))
      throw new QueryError('UNPROCESSABLE', 'Invalid classifier');
    note.minimized = on ? input.classifier.toLowerCase().replace('_', '-') : null;
    const shown = { isMinimized: on, minimizedReason: note.minimized };
    return { clientMutationId: input.clientMutationId ?? null,
      minimizedComment: shown, unminimizedComment: shown };
  }

  node({ id }) {
    const { change, thread, note } = this.find(id);
    if (note) return this.note(change, note, { id });
    return this.thread(change, thread);
  }
}

function serve(h, ctx) {
  if (!ctx.token)
    throw new Refusal(401, { message: 'This endpoint requires you to be ' +
      'authenticated.' });
  for (const problem of h.fake.prism?.checkQuery(ctx.body) || [])
    h.fake.violation('graphql', { problem });
  const graph = new Graph(h, ctx.token);
  const login = ctx.token.login;
  const body = answer(ctx.body, {
    query: { __typename: 'Query', repository: (a) => graph.repository(a),
      node: (a) => graph.node(a),
      nodes: (a) => a.ids.map((id) => graph.node({ id })),
      viewer: { ...actor(h, login), login },
      rateLimit: { limit: 5000, remaining: 5000, cost: 1 } },
    mutation: {
      resolveReviewThread: (a) => graph.setResolved(a, true),
      unresolveReviewThread: (a) => graph.setResolved(a, false),
      minimizeComment: (a) => graph.minimize(a, true),
      unminimizeComment: (a) => graph.minimize(a, false) } });
  return { body };
}

module.exports = { serve };
