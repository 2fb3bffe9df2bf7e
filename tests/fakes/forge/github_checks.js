// tests/fakes/forge/github_checks.js - GitHub's check runs and commit statuses.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { Refusal, characters } = require('./validate');
const { stamp } = require('./store');

const MAX_TEXT = 65535;
const MAX_ANNOTATIONS = 50;
const MAX_MESSAGE = 64 << 10; // bytes
const MAX_STATUSES = 1000;
const STATUS = ['queued', 'in_progress', 'completed'];
const CONCLUSIONS = ['action_required', 'cancelled', 'failure', 'neutral',
  'success', 'skipped', 'timed_out'];
const LEVELS = ['notice', 'warning', 'failure'];
const STATES = ['error', 'failure', 'pending', 'success'];
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const invalid = (message, ...errors) => new Refusal(422, {
  message: message || 'Validation Failed', errors,
  documentation_url: 'https://docs.github.com/rest', status: '422' });

function need(pass, message) {
  if (!pass) throw invalid(`Invalid request.\n\n${message}`, message);
}

const isText = (text) => typeof text === 'string' && text.length > 0;

// ---- what a check run may be ----------------------------------------------------

function checkAnnotation(a) {
  need(isText(a.path) && !a.path.startsWith('/'), 'path must be relative');
  for (const key of ['start_line', 'end_line'])
    need(Number.isInteger(a[key]) && a[key] >= 1, `${key} must be an integer`);
  need(a.start_line <= a.end_line, 'end_line must not be before start_line');
  need(LEVELS.includes(a.annotation_level),
    `"${a.annotation_level}" is not one of ${LEVELS.join(', ')}`);
  need(isText(a.message), 'message wasn\'t supplied');
  need(Buffer.byteLength(a.message) <= MAX_MESSAGE, 'message is too long');
  need(a.title === undefined || characters(a.title) <= 255, 'title is too long');
  need(a.raw_details === undefined ||
    Buffer.byteLength(a.raw_details) <= MAX_MESSAGE, 'raw_details is too long');
  const hasColumns = a.start_column !== undefined || a.end_column !== undefined;
  need(!hasColumns || a.start_line === a.end_line,
    'start_column and end_column only if start_line and end_line are the same');
  need(!hasColumns || (a.start_column >= 1 && (a.end_column === undefined ||
    a.end_column >= a.start_column)), 'columns are out of order');
}

function checkOutput(output) {
  need(isText(output.title), 'output.title wasn\'t supplied');
  need(isText(output.summary), 'output.summary wasn\'t supplied');
  for (const key of ['summary', 'text'])
    need(output[key] === undefined || characters(output[key]) <= MAX_TEXT,
      `output.${key} exceeds a maximum of ${MAX_TEXT} characters`);
  const annotations = output.annotations || [];
  need(Array.isArray(annotations) && annotations.length <= MAX_ANNOTATIONS,
    `No more than ${MAX_ANNOTATIONS} annotations in a request`);
  annotations.forEach(checkAnnotation);
}

function checkActions(actions) {
  need(Array.isArray(actions) && actions.length <= 3, 'No more than 3 actions');
  for (const [key, most] of [['label', 20], ['description', 40],
    ['identifier', 20]])
    for (const action of actions)
      need(isText(action[key]) && characters(action[key]) <= most,
        `${key} of an action must have 1 to ${most} characters`);
}

function checkRun(body) {
  need(body.status === undefined || STATUS.includes(body.status),
    `status is not one of ${STATUS.join(', ')}`);
  need(body.conclusion === undefined || CONCLUSIONS.includes(body.conclusion),
    `conclusion is not one of ${CONCLUSIONS.join(', ')}`);
  need(body.status !== 'completed' || body.conclusion,
    'conclusion is required when status is completed');
  need(body.conclusion === undefined || !body.status ||
    body.status === 'completed', 'conclusion needs the status completed');
  for (const key of ['started_at', 'completed_at'])
    need(body[key] === undefined || ISO.test(body[key]),
      `${key} must be a moment of ISO 8601`);
  need(body.details_url === undefined || /^https?:\/\//.test(body.details_url),
    'details_url must use http or https');
  if (body.output !== undefined) checkOutput(body.output);
  if (body.actions !== undefined) checkActions(body.actions);
}

// ---- check runs -----------------------------------------------------------------

function onlyApps(ctx) {
  if (ctx.token?.kind !== 'installation')
    throw new Refusal(403, { message: 'You must authenticate via a GitHub App.',
      documentation_url: 'https://docs.github.com/rest/checks/runs' });
}

function runJson(h, repo, run) {
  const pulls = [...repo.changes.values()].filter((c) => c.state === 'open' &&
    c.head_sha === run.head_sha && c.head_repo === repo.name);
  const url = `${h.fake.url}/repos/${repo.name}/check-runs/${run.id}`;
  return { id: run.id, node_id: `CR_${run.id}`, name: run.name, url,
    head_sha: run.head_sha, external_id: run.external_id || '',
    html_url: `${h.fake.url}/${repo.name}/runs/${run.id}`,
    details_url: run.details_url || null, status: run.status,
    conclusion: run.conclusion || null, started_at: run.started_at,
    completed_at: run.completed_at || null, check_suite: { id: 1 },
    output: { title: run.output?.title ?? null, text: run.output?.text ?? null,
      summary: run.output?.summary ?? null,
      annotations_count: run.annotations.length,
      annotations_url: `${url}/annotations` },
    app: h.appJson(), pull_requests: pulls.map((c) => ({ id: c.id,
      number: c.number, head: { ref: c.head_ref, sha: c.head_sha },
      base: { ref: c.base_ref, sha: c.start_sha } })) };
}

// Annotations are added to, all else is replaced.
function update(run, body) {
  for (const key of ['name', 'external_id', 'details_url', 'status',
    'conclusion', 'started_at', 'completed_at', 'actions'])
    if (body[key] !== undefined) run[key] = body[key];
  if (body.conclusion) run.status = 'completed';
  if (run.status !== 'completed') {
    run.conclusion = null;
    run.completed_at = null;
  } else run.completed_at ||= stamp();
  run.started_at ||= stamp();
  if (body.output) {
    const { annotations = [], ...output } = body.output;
    run.output = { ...run.output, ...output };
    run.annotations.push(...annotations);
  }
}

function createRun(h, ctx) {
  onlyApps(ctx);
  const body = ctx.body || {};
  need(isText(body.name), 'name wasn\'t supplied');
  need(isText(body.head_sha), 'head_sha wasn\'t supplied');
  checkRun(body);
  if (!/^[0-9a-f]{40}$/.test(body.head_sha) ||
      !h.store.sha(ctx.repo, body.head_sha))
    throw invalid(`No commit found for SHA: ${body.head_sha}`);
  const run = { id: h.store.id(), head_sha: body.head_sha, status: 'queued',
    annotations: [], actions: [] };
  update(run, body);
  ctx.repo.checks.push(run);
  return { status: 201, body: runJson(h, ctx.repo, run) };
}

function findRun(ctx) {
  const run = ctx.repo.checks.find((r) => r.id === +ctx.params.id);
  if (!run) throw new Refusal(404, { message: 'Not Found' });
  return run;
}

function updateRun(h, ctx) {
  onlyApps(ctx);
  const run = findRun(ctx);
  checkRun(ctx.body || {});
  update(run, ctx.body || {});
  return { body: runJson(h, ctx.repo, run) };
}

function listRuns(h, ctx) {
  const sha = h.store.sha(ctx.repo, ctx.params.ref);
  if (!sha) throw invalid(`No commit found for SHA: ${ctx.params.ref}`);
  const name = ctx.query.get('check_name');
  const status = ctx.query.get('status');
  const app = ctx.query.get('app_id');
  let list = ctx.repo.checks.filter((r) => r.head_sha === sha &&
    (!name || r.name === name) && (!status || r.status === status) &&
    (!app || app === h.app.id)).reverse();
  if ((ctx.query.get('filter') || 'latest') === 'latest')
    list = list.filter((r, i) => list.findIndex((o) => o.name === r.name) === i);
  return h.page(ctx, list, { wrap: (items) => ({ total_count: list.length,
    check_runs: items.map((r) => runJson(h, ctx.repo, r)) }) });
}

const listAnnotations = (h, ctx) => h.page(ctx, findRun(ctx).annotations
  .map((a) => ({ title: null, raw_details: null, start_column: null,
    end_column: null, blob_href: '', ...a })));

// ---- statuses -------------------------------------------------------------------

function statusJson(h, s) {
  return { id: s.id, node_id: `SC_${s.id}`, state: s.state, context: s.context,
    description: s.description ?? null, target_url: s.target_url ?? null,
    creator: h.userJson(s.creator), created_at: s.created_at,
    updated_at: s.created_at, url: `${h.fake.url}/repos/x/statuses/${s.sha}` };
}

function createStatus(h, ctx) {
  const { state, context = 'default', description, target_url } = ctx.body || {};
  const { sha } = ctx.params;
  if (!STATES.includes(state))
    throw invalid('Validation Failed', { resource: 'Status', code: 'custom',
      field: 'state', message: 'state is not included in the list' });
  if (!isText(context))
    throw invalid('Validation Failed', { resource: 'Status', code: 'custom',
      field: 'context', message: 'context cannot be blank' });
  if (description != null && characters(description) > 140)
    throw invalid('Validation Failed', { resource: 'Status', code: 'custom',
      field: 'description',
      message: 'description is too long (maximum is 140 characters)' });
  if (target_url != null && !/^https?:\/\//.test(target_url))
    throw invalid('Validation Failed', { resource: 'Status', code: 'custom',
      field: 'target_url', message: 'target_url must use http(s) scheme' });
  if (!/^[0-9a-f]{40}$/.test(sha) || !h.store.sha(ctx.repo, sha))
    throw invalid(`No commit found for SHA: ${sha}`);
  const same = ctx.repo.statuses.filter((s) => s.sha === sha &&
    s.context.toLowerCase() === context.toLowerCase());
  if (same.length >= MAX_STATUSES)
    throw invalid('Validation Failed', { resource: 'Status', code: 'custom',
      message: 'This SHA and context has reached the maximum number of statuses.'
    });
  const made = { id: h.store.id(), sha, state, context, description, target_url,
    creator: ctx.token.login, created_at: stamp() };
  ctx.repo.statuses.push(made);
  return { status: 201, body: statusJson(h, made) };
}

function statusesOf(h, ctx) {
  const sha = h.store.sha(ctx.repo, ctx.params.ref);
  if (!sha) throw new Refusal(404, { message: 'Not Found' });
  return ctx.repo.statuses.filter((s) => s.sha === sha).reverse();
}

const listStatuses = (h, ctx) => h.page(ctx,
  statusesOf(h, ctx).map((s) => statusJson(h, s)));

function combined(h, ctx) {
  const all = statusesOf(h, ctx);
  const latest = all.filter((s, i) => i === all.findIndex((o) =>
    o.context.toLowerCase() === s.context.toLowerCase()));
  const has = (...states) => latest.some((s) => states.includes(s.state));
  const state = has('error', 'failure') ? 'failure'
    : has('pending') || !latest.length ? 'pending' : 'success';
  return h.page(ctx, latest, { wrap: (items) => ({ state,
    total_count: latest.length, statuses: items.map((s) => statusJson(h, s)) }) });
}

const AT = '/repos/:owner/:repo';
const ROUTES = {
  [`POST ${AT}/check-runs`]: [createRun, 'checks:write'],
  [`PATCH ${AT}/check-runs/:id`]: [updateRun, 'checks:write'],
  [`GET ${AT}/check-runs/:id`]: [(h, c) => ({
    body: runJson(h, c.repo, findRun(c)) }), 'checks:read'],
  [`GET ${AT}/check-runs/:id/annotations`]: [listAnnotations, 'checks:read'],
  [`GET ${AT}/commits/*ref/check-runs`]: [listRuns, 'checks:read'],
  [`POST ${AT}/statuses/:sha`]: [createStatus, 'statuses:write'],
  [`GET ${AT}/commits/*ref/statuses`]: [listStatuses, 'statuses:read'],
  [`GET ${AT}/commits/*ref/status`]: [combined, 'statuses:read'],
};

module.exports = { ROUTES, runJson, invalid };
