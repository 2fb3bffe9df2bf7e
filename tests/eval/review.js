// tests/eval/review.js - one review of a repository, by berth itself.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const fs = require('fs');
const path = require('path');
const { execFileSync, spawn, spawnSync } = require('child_process');

const root = path.resolve(__dirname, '../..');
const berth = process.env.BERTH_BIN ||
  path.join(root, 'build/debug/bin/berth');
const OUTPUT_MAX = 16 << 20;

// Have opencode below the state directory, once.
function setUp(state) {
  fs.mkdirSync(state, { recursive: true, mode: 0o711 });
  if (!fs.existsSync(path.join(state, 'tools/opencode.json')))
    execFileSync(berth, ['setup', 'opencode'], { stdio: ['ignore', 'ignore',
      'inherit'], env: { ...process.env, BERTH_STATE_DIR: state } });
}

// Whether this berth has a command of that name.
const has = (command) =>
  spawnSync(berth, [command, '--help'], { stdio: 'ignore' }).status === 0;

// {status, out, err, ms}
function call(state, args) {
  const began = Date.now();
  const child = spawn(berth, args, { stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, BERTH_STATE_DIR: state,
      GIT_CONFIG_GLOBAL: '/dev/null' } });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (data) => {
    if (texts.out.length < OUTPUT_MAX) texts.out += data;
  });
  child.stderr.on('data', (data) => {
    if (texts.err.length < OUTPUT_MAX) texts.err += data;
  });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (status) =>
      done({ status, ...texts, ms: Date.now() - began }));
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// By `berth review`, whose line about itself says what it cost.
async function byReview(spec) {
  const ended = await call(spec.state, ['review', '--config', spec.config,
    '--repo', spec.repo, '--base', 'main', '--format', 'json',
    '--fail-on', 'never', ...(spec.model ? ['--model', spec.model] : [])]);
  const document = ended.status === 0 ? parse(ended.out) : null;
  const facts = /; (\d+) requests?, (\d+) tokens, (?:about )?([\d.]+) USD/
    .exec(ended.err) || [];
  const parts = /^not reviewed: .*$/m.exec(ended.err);
  return { findings: document ? document.findings : [],
    failed: document ? parts && parts[0] : ended.err.trim().slice(-2000) ||
      `exit status ${ended.status}`,
    requests: Number(facts[1] || 0), tokens: Number(facts[2] || 0),
    usd: Number(facts[3] || 0), ms: ended.ms };
}

// By `berth run` of a pipeline with the step.
async function byRun(spec) {
  const pipeline = `${spec.repo}.pipeline.yml`;
  fs.writeFileSync(pipeline, JSON.stringify({ timeout: '30m',
    sandbox: { instance_type: 'standard-2' }, steps: [{ checkout: null },
      { opencode: spec.model ? { model: spec.model } : null }] }));
  const ended = await call(spec.state, ['run', '--json', '--config',
    spec.config, '--repo', spec.repo, '--ref', 'change', '--base', 'main',
    pipeline]);
  const result = parse(ended.out) || {};
  const step = (result.steps || [])[1] || {};
  const passed = result.state === 'passed' && step.findings && step.review;
  const used = step.model || {};
  return { findings: passed ? step.findings.findings : [],
    failed: passed ? step.review.failed ? 'a part without an answer' : null :
      result.message || step.message || ended.err.trim().slice(-2000) ||
      `exit status ${ended.status}`,
    requests: used.requests || 0,
    tokens: (used.input_tokens || 0) + (used.output_tokens || 0),
    usd: used.usd || 0, ms: ended.ms };
}

// reviewer(): a function that reviews {state, config, model, repo}; there,
// HEAD and "change" are what "main" is to be compared with. It resolves to
// {findings, failed: null or why, requests, tokens, usd, ms}.
const reviewer = () => (has('review') ? byReview : byRun);

module.exports = { reviewer, root, setUp };
