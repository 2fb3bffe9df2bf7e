// tests/fakes/forge/gitlab_discussions.js - GitLab's discussions and notes.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { Refusal, findLine, lineCode, characters } = require('./validate');
const { stamp } = require('./store');

const MAX_NOTE = 1000000;
const SHA = /^[0-9a-f]{40}$/;
const refuse = (status, message) => new Refusal(status, { message });
const badLine = () => refuse(400, '400 Bad request - Note {:line_code=>["can\'t ' +
  'be blank", "must be a valid line code"], :position=>["is invalid"]}');
const missing = () => refuse(404, '404 Discussion Not Found');

function checkBody(body) {
  if (typeof body !== 'string')
    throw new Refusal(400, { error: 'body is missing' });
  if (!body.trim())
    throw refuse(400, '400 Bad request - Note {:note=>["can\'t be blank"]}');
  if (characters(body) > MAX_NOTE)
    throw refuse(400, '400 Bad request - Note {:note=>["is too long (maximum is ' +
      '1000000 characters)"]}');
}

// ---- positions --------------------------------------------------------------------

// The line of {new_line, old_line}: an added one has only a new number, a removed
// one only an old number, an unchanged one both.
function lineAt(file, { new_line, old_line }) {
  if (new_line != null && old_line != null) {
    const line = findLine(file, 'new', new_line);
    return line?.type === ' ' && line.old === old_line ? line : null;
  }
  const [side, type] = new_line != null ? ['new', '+'] : ['old', '-'];
  const line = findLine(file, side, new_line ?? old_line);
  return line?.type === type ? line : null;
}

function rangeEnd(file, end, path) {
  const line = lineAt(file, end);
  if (!line || end.line_code !== lineCode(path, line)) throw badLine();
  const type = { '+': 'new', '-': 'old' }[line.type] ?? null;
  if (end.type !== undefined && end.type !== type && type) throw badLine();
  return line;
}

// {file, line, start} of a position, or what GitLab says about it.
function place(h, change, p) {
  const fields = ['base_sha', 'start_sha', 'head_sha'];
  if (!fields.every((f) => SHA.test(p[f] || '')))
    throw new Refusal(400, { error: fields.map((f) => `position[${f}] is missing`)
      .join(', ') });
  if (p.position_type !== 'text')
    throw new Refusal(400, { error: 'position[position_type] is not supported' });
  const version = change.versions.find((v) => v.head === p.head_sha);
  if (!version || version.base !== p.base_sha || version.start !== p.start_sha)
    throw badLine();
  const file = h.store.diff(change, p.head_sha, p.base_sha).files.find((f) =>
    (p.new_path === undefined || f.newPath === p.new_path) &&
    (p.old_path === undefined || f.oldPath === p.old_path) &&
    (p.new_path !== undefined || p.old_path !== undefined));
  if (!file || (p.new_line == null && p.old_line == null)) throw badLine();
  if (p.new_path === undefined || p.old_path === undefined)
    h.fake.violation('position without both paths', { position: p });
  const line = lineAt(file, p);
  if (!line) throw badLine();
  if (!p.line_range) return { file, line, start: null };
  const start = rangeEnd(file, p.line_range.start, file.newPath);
  const end = rangeEnd(file, p.line_range.end, file.newPath);
  if (end.new !== line.new || end.old !== line.old) throw badLine();
  return { file, line, start };
}

// ---- as JSON ------------------------------------------------------------------------

function positionJson(change, thread) {
  const version = change.versions.findLast((v) => v.head === thread.commit);
  const p = thread.position;
  return { ...p, base_sha: version?.base || p.base_sha,
    start_sha: version?.start || p.start_sha, head_sha: thread.commit,
    new_line: p.new_line == null ? null : thread.line,
    old_line: p.new_line == null ? thread.line : p.old_line ?? null,
    line_range: p.line_range ?? null };
}

function noteJson(h, change, thread, note) {
  const at = thread?.position;
  const resolvable = Boolean(thread && !thread.individual);
  return { id: note.id, type: at ? 'DiffNote' : resolvable
    ? 'DiscussionNote' : null, body: note.body, author: h.userJson(note.author),
  created_at: note.created_at, updated_at: note.updated_at, system: false,
  noteable_id: change.id, noteable_type: 'MergeRequest',
  noteable_iid: change.number, project_id: h.store.repo(change.repo).id,
  resolvable, confidential: false, internal: false, imported: false,
  ...(at ? { position: positionJson(change, thread),
    original_position: at, commit_id: null } : {}),
  ...(resolvable ? { resolved: thread.resolved, resolved_by:
    thread.resolver ? h.userJson(thread.resolver) : null } : {}) };
}

const discussionJson = (h, change, thread) => ({ id: thread.id,
  individual_note: Boolean(thread.individual),
  notes: thread.notes.map((n) => noteJson(h, change, thread, n)) });

// ---- discussions ------------------------------------------------------------------------

function addNote(h, change, body, author) {
  const thread = h.store.addThread(change, { path: null, whole_file: true,
    individual: true, commit: change.head_sha }, { body, author });
  change.comments.push(thread.notes[0]);
  return noteJson(h, change, thread, thread.notes[0]);
}

function createDiscussion(h, ctx) {
  const { body, change, token } = ctx;
  checkBody(body.body);
  const by = { body: body.body, author: token.login };
  if (!body.position) {
    const plain = h.store.addThread(change, { path: null, whole_file: true,
      commit: change.head_sha }, by);
    return { status: 201, body: discussionJson(h, change, plain) };
  }
  const { file, line, start } = place(h, change, body.position);
  const side = line.type === '-' ? 'old' : 'new';
  const thread = h.store.addThread(change, { position: body.position, side,
    path: side === 'old' ? file.oldPath : file.newPath, line: line[side],
    start_line: start ? start[side] : null, start_side: side,
    commit: body.position.head_sha }, by);
  return { status: 201, body: discussionJson(h, change, thread) };
}

function findDiscussion(ctx) {
  const thread = ctx.change.threads.find((t) => t.id === ctx.params.discussion);
  if (!thread) throw missing();
  return thread;
}

function resolve(h, ctx) {
  const thread = findDiscussion(ctx);
  const { resolved } = ctx.body;
  if (resolved === undefined)
    throw new Refusal(400, { error: 'resolved is missing' });
  if (thread.individual) throw refuse(400, '400 Bad request - not resolvable');
  const level = h.level(ctx.token, ctx.repo);
  if (level < 30 && ctx.token.login !== ctx.change.author)
    throw refuse(403, '403 Forbidden');
  thread.resolved = String(resolved) === 'true';
  thread.resolver = thread.resolved ? ctx.token.login : null;
  return { body: discussionJson(h, ctx.change, thread) };
}

function reply(h, ctx) {
  const thread = findDiscussion(ctx);
  checkBody(ctx.body.body);
  const note = h.store.addNote(thread, { body: ctx.body.body,
    author: ctx.token.login });
  return { status: 201, body: noteJson(h, ctx.change, thread, note) };
}

// ---- notes --------------------------------------------------------------------------------

function findNote(ctx) {
  for (const thread of ctx.change.threads) {
    const note = thread.notes.find((n) => n.id === +ctx.params.note);
    if (note) return { thread, note };
  }
  throw refuse(404, '404 Note Not Found');
}

function editNote(h, ctx) {
  const { thread, note } = findNote(ctx);
  if (ctx.body.resolved !== undefined && ctx.params.discussion)
    return { body: (resolve(h, ctx), noteJson(h, ctx.change, thread, note)) };
  if (note.author !== ctx.token.login) throw refuse(403, '403 Forbidden');
  checkBody(ctx.body.body);
  Object.assign(note, { body: ctx.body.body, updated_at: stamp() });
  return { body: noteJson(h, ctx.change, thread, note) };
}

function removeNote(h, ctx) {
  const { thread, note } = findNote(ctx);
  if (note.author !== ctx.token.login) throw refuse(403, '403 Forbidden');
  thread.notes = thread.notes.filter((n) => n !== note);
  const { change } = ctx;
  change.comments = change.comments.filter((n) => n !== note);
  if (!thread.notes.length)
    change.threads = change.threads.filter((t) => t !== thread);
  return { status: 204 };
}

function listNotes(h, ctx) {
  const all = ctx.change.threads.flatMap((t) => t.notes
    .map((n) => noteJson(h, ctx.change, t, n)));
  const up = ctx.query.get('sort') === 'asc';
  return h.page(ctx, all.sort((a, b) => (up ? a.id - b.id : b.id - a.id)));
}

const MR = '/projects/:id/merge_requests/:iid';
const ROUTES = {
  [`GET ${MR}/discussions`]: [(h, c) => h.page(c, c.change.threads
    .map((t) => discussionJson(h, c.change, t))), 'read'],
  [`POST ${MR}/discussions`]: [createDiscussion, 'read'],
  [`GET ${MR}/discussions/:discussion`]: [(h, c) => ({
    body: discussionJson(h, c.change, findDiscussion(c)) }), 'read'],
  [`PUT ${MR}/discussions/:discussion`]: [resolve, 'read'],
  [`POST ${MR}/discussions/:discussion/notes`]: [reply, 'read'],
  [`PUT ${MR}/discussions/:discussion/notes/:note`]: [editNote, 'read'],
  [`DELETE ${MR}/discussions/:discussion/notes/:note`]: [removeNote, 'read'],
  [`GET ${MR}/notes`]: [listNotes, 'read'],
  [`GET ${MR}/notes/:note`]: [(h, c) => {
    const { thread, note } = findNote(c);
    return { body: noteJson(h, c.change, thread, note) };
  }, 'read'],
  [`POST ${MR}/notes`]: [(h, c) => {
    checkBody(c.body.body);
    return { status: 201, body: addNote(h, c.change, c.body.body, c.token.login) };
  }, 'read'],
  [`PUT ${MR}/notes/:note`]: [editNote, 'read'],
  [`DELETE ${MR}/notes/:note`]: [removeNote, 'read'],
};

module.exports = { ROUTES, addNote };
