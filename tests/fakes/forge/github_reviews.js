// tests/fakes/forge/github_reviews.js - GitHub's reviews and comments.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { Refusal, characters, findLine } = require('./validate');
const { stamp } = require('./store');
const { invalid } = require('./github_checks');

const MAX_BODY = 65536;
const EVENTS = { COMMENT: 'COMMENTED', APPROVE: 'APPROVED',
  REQUEST_CHANGES: 'CHANGES_REQUESTED' };
const SIDES = { LEFT: 'old', RIGHT: 'new' };

const isText = (text) => typeof text === 'string' && text.trim().length > 0;
const notFound = () => new Refusal(404, { message: 'Not Found' });
const unprocessable = (...errors) => new Refusal(422, {
  message: 'Unprocessable Entity', errors,
  documentation_url: 'https://docs.github.com/rest/pulls/reviews' });

function checkBody(body, resource) {
  if (!isText(body))
    throw invalid('Validation Failed', { resource, code: 'missing_field',
      field: 'body' });
  if (characters(body) > MAX_BODY)
    throw invalid('Validation Failed', { resource, code: 'custom', field: 'body',
      message: `body is too long (maximum is ${MAX_BODY} characters)` });
}

// ---- lines ----------------------------------------------------------------------

// Why a comment cannot be where it is said to be; null: it can.
function misplaced(h, change, commit, c) {
  const file = h.store.file(change, c.path, commit);
  if (!file) return 'Path could not be resolved';
  if (c.subject_type === 'file') return null;
  if (!Number.isInteger(c.line)) return 'Line could not be resolved';
  const side = SIDES[c.side || 'RIGHT'];
  const end = side && findLine(file, side, c.line);
  if (!end) return 'Line could not be resolved';
  if (c.start_line === undefined) return null;
  const startSide = SIDES[c.start_side || c.side || 'RIGHT'];
  const start = startSide && findLine(file, startSide, c.start_line);
  if (!start) return 'Start line could not be resolved';
  if (start.hunk !== end.hunk)
    return 'Start line must be part of the same hunk as the line';
  const at = (line) => end.hunk.lines.findIndex((l) => l.type === line.type &&
    l.old === line.old && l.new === line.new);
  if (at(start) >= at(end) || (side === startSide && c.start_line >= c.line))
    return 'Start line must precede the end line';
  return null;
}

function makeThread(h, change, commit, author, c, review) {
  const side = SIDES[c.side || 'RIGHT'];
  const file = h.store.file(change, c.path, commit);
  const found = c.subject_type === 'file' ? null : findLine(file, side, c.line);
  return h.store.addThread(change, { path: c.path, side, line: c.line ?? null,
    start_line: c.start_line ?? null,
    start_side: SIDES[c.start_side || c.side || 'RIGHT'], commit,
    original_commit: commit, whole_file: c.subject_type === 'file',
    original_start: c.start_line ?? null, hunk: hunkText(found) },
  { body: c.body, author, review: review?.id ?? null });
}

// As far as the line: what GitHub shows above a comment.
function hunkText(found) {
  if (!found) return '';
  const at = found.hunk.lines.findIndex((l) => l.type === found.type &&
    l.old === found.old && l.new === found.new);
  return [found.hunk.head, ...found.hunk.lines.slice(0, at + 1)
    .map((l) => l.type + l.text)].join('\n');
}

// ---- as JSON --------------------------------------------------------------------

function commentJson(h, change, thread, note) {
  const at = `${h.fake.url}/repos/${change.repo}`;
  const sides = { old: 'LEFT', new: 'RIGHT' };
  const gone = thread.outdated;
  const first = thread.notes[0];
  return { id: note.id, node_id: `PRRC_${note.id}`,
    url: `${at}/pulls/comments/${note.id}`, pull_request_review_id: note.review,
    path: thread.path, diff_hunk: thread.hunk, body: note.body,
    position: gone ? null : 1, original_position: 1, side: sides[thread.side],
    line: gone ? null : thread.line, original_line: thread.original_line,
    start_line: gone ? null : thread.start_line,
    original_start_line: thread.original_start,
    start_side: thread.start_line ? sides[thread.start_side] : null,
    commit_id: thread.commit, original_commit_id: thread.original_commit,
    subject_type: thread.whole_file ? 'file' : 'line',
    user: h.userJson(note.author), author_association: 'NONE',
    created_at: note.created_at, updated_at: note.updated_at,
    html_url: `${h.fake.url}/${change.repo}/pull/${change.number}` +
      `#discussion_r${note.id}`,
    pull_request_url: `${at}/pulls/${change.number}`,
    ...(note === first ? {} : { in_reply_to_id: first.id }) };
}

function reviewJson(h, change, r) {
  return { id: r.id, node_id: `PRR_${r.id}`, user: h.userJson(r.author),
    body: r.body, state: r.state, commit_id: r.commit,
    author_association: 'NONE', ...(r.state === 'PENDING' ? {}
      : { submitted_at: r.submitted_at }),
    html_url: `${h.fake.url}/${change.repo}/pull/${change.number}` +
      `#pullrequestreview-${r.id}`, pull_request_url:
      `${h.fake.url}/repos/${change.repo}/pulls/${change.number}` };
}

function issueCommentJson(h, change, note) {
  const at = `${h.fake.url}/repos/${change.repo}`;
  return { id: note.id, node_id: `IC_${note.id}`, body: note.body,
    url: `${at}/issues/comments/${note.id}`, user: h.userJson(note.author),
    created_at: note.created_at, updated_at: note.updated_at,
    author_association: 'NONE', issue_url: `${at}/issues/${change.number}`,
    html_url: `${h.fake.url}/${change.repo}/pull/${change.number}` +
      `#issuecomment-${note.id}` };
}

// ---- reviews --------------------------------------------------------------------

// What nobody but its author sees: a review that was never submitted.
const isHidden = (change, note) => change.reviews
  .some((r) => r.id === note.review && r.state === 'PENDING');

function checkEvent(h, ctx, body) {
  const { event } = body;
  if (event !== undefined && !EVENTS[event])
    throw unprocessable(`Variable $event of type PullRequestReviewEvent was ` +
      `provided invalid value`);
  const own = ctx.token.login === ctx.change.author;
  if (own && event === 'APPROVE')
    throw unprocessable('Can not approve your own pull request');
  if (own && event === 'REQUEST_CHANGES')
    throw unprocessable('Can not request changes on your own pull request');
  if ((event === 'COMMENT' || event === 'REQUEST_CHANGES') && !isText(body.body))
    throw unprocessable('Pull request review body can\'t be blank');
  if (body.body && characters(body.body) > MAX_BODY)
    throw unprocessable('Body is too long (maximum is 65536 characters)');
}

function createReview(h, ctx) {
  const body = ctx.body || {};
  const comments = body.comments || [];
  const { change } = ctx;
  checkEvent(h, ctx, body);
  const commit = body.commit_id || change.head_sha;
  if (!body.commit_id)
    h.fake.violation('unpinned', { path: ctx.path });
  if (!h.store.sha(ctx.repo, commit) || !h.store.isPart(change, commit))
    throw unprocessable('The commit_id is not part of the pull request');
  for (const c of comments) {
    if (c.position !== undefined)
      h.fake.violation('position', { path: ctx.path, comment: c });
    if (!isText(c.body) || characters(c.body) > MAX_BODY)
      throw unprocessable('Pull request review comment body is invalid');
  }
  // All or nothing, and no word about which one it was.
  const reasons = new Set(comments.map((c) => misplaced(h, change, commit, c))
    .filter(Boolean));
  if (reasons.size) throw unprocessable([...reasons].join(', and '));
  const pending = change.reviews.find((r) => r.state === 'PENDING' &&
    r.author === ctx.token.login);
  if (pending)
    throw unprocessable('User can only have one pending review per pull request');
  const review = { id: h.store.id(), author: ctx.token.login, commit,
    body: body.body || '', state: EVENTS[body.event] || 'PENDING',
    submitted_at: stamp() };
  change.reviews.push(review);
  if (review.state === 'PENDING')
    h.fake.violation('pending review', { path: ctx.path });
  for (const c of comments)
    makeThread(h, change, commit, review.author, c, review);
  return { body: reviewJson(h, change, review) };
}

const seenBy = (ctx) => ctx.change.reviews.filter((r) => r.state !== 'PENDING' ||
  r.author === ctx.token?.login);

function findReview(ctx) {
  const review = seenBy(ctx).find((r) => r.id === +ctx.params.id);
  if (!review) throw notFound();
  return review;
}

function submitReview(h, ctx) {
  const review = findReview(ctx);
  if (review.state !== 'PENDING')
    throw unprocessable('Could not find a pending review');
  checkEvent(h, ctx, ctx.body || {});
  review.state = EVENTS[ctx.body?.event] || 'PENDING';
  review.body = ctx.body?.body || review.body;
  return { body: reviewJson(h, ctx.change, review) };
}

function dismiss(h, ctx) {
  const review = findReview(ctx);
  if (!isText(ctx.body?.message)) throw unprocessable('message is missing');
  if (!['CHANGES_REQUESTED', 'APPROVED'].includes(review.state))
    throw unprocessable('Can not dismiss a commented pull request review');
  review.state = 'DISMISSED';
  return { body: reviewJson(h, ctx.change, review) };
}

function editReview(h, ctx) {
  const review = findReview(ctx);
  own(ctx, review);
  checkBody(ctx.body?.body, 'PullRequestReview');
  review.body = ctx.body.body;
  return { body: reviewJson(h, ctx.change, review) };
}

// ---- review comments --------------------------------------------------------------

function own(ctx, note) {
  if (note.author !== ctx.token.login)
    throw new Refusal(403, { message: 'Resource not accessible by integration' });
}

const allComments = (h, change, fits = () => true) => change.threads
  .flatMap((t) => t.notes.filter((n) => !isHidden(change, n) && fits(n))
    .map((n) => commentJson(h, change, t, n)))
  .sort((a, b) => a.id - b.id);

function createComment(h, ctx) {
  const body = ctx.body || {};
  const { change } = ctx;
  checkBody(body.body, 'PullRequestReviewComment');
  if (body.in_reply_to)
    return reply(h, ctx, body.in_reply_to);
  const commit = body.commit_id;
  if (!commit || !h.store.isPart(change, commit))
    throw invalid('Validation Failed', { resource: 'PullRequestReviewComment',
      code: 'custom', field: 'commit_id',
      message: 'commit_id is not part of the pull request' });
  const reason = misplaced(h, change, commit, body);
  if (reason)
    throw invalid('Validation Failed', { resource: 'PullRequestReviewComment',
      code: 'custom', field: 'pull_request_review_thread.line',
      message: 'pull_request_review_thread.line must be part of the diff' });
  // A comment of its own is a review too.
  const review = { id: h.store.id(), author: ctx.token.login, commit, body: '',
    state: 'COMMENTED', submitted_at: stamp() };
  change.reviews.push(review);
  const thread = makeThread(h, change, commit, review.author, body, review);
  return { status: 201,
    body: commentJson(h, change, thread, thread.notes[0]) };
}

function reply(h, ctx, id) {
  const found = h.store.findNote(ctx.repo.name, id);
  if (!found || found.change !== ctx.change) throw notFound();
  checkBody(ctx.body?.body, 'PullRequestReviewComment');
  const note = h.store.addNote(found.thread, { body: ctx.body.body,
    author: ctx.token.login, review: found.thread.notes[0].review });
  return { status: 201, body: commentJson(h, ctx.change, found.thread, note) };
}

function oneComment(h, ctx, act) {
  const found = h.store.findNote(ctx.repo.name, ctx.params.id);
  if (!found || isHidden(found.change, found.note)) throw notFound();
  return act(found);
}

const showComment = (h, ctx) => oneComment(h, ctx, ({ change, thread, note }) => ({
  body: commentJson(h, change, thread, note) }));

const editComment = (h, ctx) => oneComment(h, ctx, ({ change, thread, note }) => {
  own(ctx, note);
  checkBody(ctx.body?.body, 'PullRequestReviewComment');
  Object.assign(note, { body: ctx.body.body, updated_at: stamp() });
  return { body: commentJson(h, change, thread, note) };
});

const removeComment = (h, ctx) => oneComment(h, ctx, ({ change, thread, note }) => {
  own(ctx, note);
  thread.notes = thread.notes.filter((n) => n !== note);
  if (!thread.notes.length)
    change.threads = change.threads.filter((t) => t !== thread);
  return { status: 204 };
});

// ---- comments on the change -------------------------------------------------------

function addComment(h, change, body, author) {
  const note = { id: h.store.id(), body, author, created_at: stamp(),
    updated_at: stamp(), minimized: null };
  change.comments.push(note);
  return issueCommentJson(h, change, note);
}

function createIssueComment(h, ctx) {
  checkBody(ctx.body?.body, 'IssueComment');
  return { status: 201,
    body: addComment(h, ctx.change, ctx.body.body, ctx.token.login) };
}

function oneIssueComment(h, ctx, act) {
  const found = h.store.findComment(ctx.repo.name, ctx.params.id);
  if (!found) throw notFound();
  return act(found);
}

const editIssueComment = (h, ctx) => oneIssueComment(h, ctx, ({ change, note }) => {
  own(ctx, note);
  checkBody(ctx.body?.body, 'IssueComment');
  Object.assign(note, { body: ctx.body.body, updated_at: stamp() });
  return { body: issueCommentJson(h, change, note) };
});

const removeIssueComment = (h, ctx) => oneIssueComment(h, ctx,
  ({ change, note }) => {
    own(ctx, note);
    change.comments = change.comments.filter((n) => n !== note);
    return { status: 204 };
  });

const PULL = '/repos/:owner/:repo/pulls/:number';
const AT = '/repos/:owner/:repo';
const [READ, WRITE] = ['pull_requests:read', 'pull_requests:write'];
const [TALK_READ, TALK] = ['issues:read|pull_requests:read',
  'issues:write|pull_requests:write'];
const ROUTES = {
  [`GET ${AT}/pulls/comments/:id`]: [showComment, READ],
  [`PATCH ${AT}/pulls/comments/:id`]: [editComment, WRITE],
  [`DELETE ${AT}/pulls/comments/:id`]: [removeComment, WRITE],
  [`GET ${PULL}/reviews`]: [(h, c) => h.page(c,
    seenBy(c).map((r) => reviewJson(h, c.change, r))), READ],
  [`POST ${PULL}/reviews`]: [createReview, WRITE],
  [`GET ${PULL}/reviews/:id`]: [(h, c) => ({
    body: reviewJson(h, c.change, findReview(c)) }), READ],
  [`PUT ${PULL}/reviews/:id`]: [editReview, WRITE],
  [`POST ${PULL}/reviews/:id/events`]: [submitReview, WRITE],
  [`PUT ${PULL}/reviews/:id/dismissals`]: [dismiss, WRITE],
  [`GET ${PULL}/reviews/:id/comments`]: [(h, c) => h.page(c,
    allComments(h, c.change, (n) => n.review === findReview(c).id)), READ],
  [`GET ${PULL}/comments`]: [(h, c) => h.page(c, allComments(h, c.change)), READ],
  [`POST ${PULL}/comments`]: [createComment, WRITE],
  [`POST ${PULL}/comments/:id/replies`]: [(h, c) => reply(h, c, c.params.id),
    WRITE],
  [`GET ${AT}/issues/comments/:id`]: [(h, c) => oneIssueComment(h, c,
    ({ change, note }) => ({ body: issueCommentJson(h, change, note) })),
  TALK_READ],
  [`PATCH ${AT}/issues/comments/:id`]: [editIssueComment, TALK],
  [`DELETE ${AT}/issues/comments/:id`]: [removeIssueComment, TALK],
  [`GET ${AT}/issues/:number/comments`]: [(h, c) => h.page(c,
    c.change.comments.map((n) => issueCommentJson(h, c.change, n))), TALK_READ],
  [`POST ${AT}/issues/:number/comments`]: [createIssueComment, TALK],
};

module.exports = { ROUTES, addComment, isHidden };
