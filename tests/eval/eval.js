#!/usr/bin/env node
// tests/eval/eval.js - how good reviews are: every case, by a model.
// SPDX-License-Identifier: Apache-2.0
//
// In the environment:
//   EVAL_CONFIG  a configuration of berth's with models; without one a model
//                answers that knows the cases, and its numbers have to come out
//   EVAL_MODEL   the name of the model there (its first)
//   EVAL_CASES   only those whose name has it, or one of several, a|b; with a *
//                in it, it is the whole name: *-go
//   EVAL_JOBS    how many at a time (2)
//   EVAL_REPORT  where all of it is written as JSON (build/eval/report.json)
//   EVAL_STATE   a state directory, with opencode once it was used
//                (build/eval/state)
// Exit status: 0; 1: a review failed, or the known numbers did not come out.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { startModel } = require('../fakes/model');
const { loadCases, makeRepo } = require('./cases');
const { answers, expected } = require('./scripted');
const { judge, byCategory, table, total } = require('./score');
const { reviewer, root, setUp } = require('./review');

const KEY = 'sk-of-the-model-that-knows-the-cases';

// The model that knows the cases, and a configuration with it.
async function startKnown(dir, cases) {
  const model = await startModel({ key: KEY, answer: answers(cases) });
  const key = path.join(dir, 'model.key');
  const config = path.join(dir, 'berth.yml');
  fs.writeFileSync(key, KEY, { mode: 0o600 });
  fs.writeFileSync(config, JSON.stringify({ models: [{ name: 'known',
    url: model.url, key: `file:${key}`, model: 'known', context: 64000,
    output: 8192, price: { input: 1, output: 2 } }] }));
  return { config, stop: model.stop };
}

async function evaluate(one, spec) {
  const repo = makeRepo(one, path.join(spec.dir, one.name));
  const review = await spec.review({ ...spec, repo });
  const entry = { name: one.name, kind: one.bug ? 'bug' : 'clean',
    category: one.category, ...judge(one, review.findings), ...review };
  fs.rmSync(repo, { recursive: true, force: true });
  const said = review.failed ? `FAILED: ${review.failed.split('\n').pop()}` :
    [entry.hit && 'found', entry.missed && 'missed',
      entry.wrong && `${entry.wrong} wrong`].filter(Boolean).join(', ') ||
    'nothing said';
  spec.tell(`${one.name}: ${said} (${(review.ms / 1000).toFixed(1)} s)`);
  return entry;
}

async function atATime(most, items, work) {
  const rest = [...items.entries()];
  const done = [];
  await Promise.all(Array.from({ length: most }, async () => {
    for (let next = rest.shift(); next; next = rest.shift())
      done[next[0]] = await work(next[1]);
  }));
  return done;
}

// run({cases, state, config, model, jobs, tell}): the entries, a case each;
// without a configuration by the model that knows the cases.
async function run({ cases, state, config, model, jobs = 2,
  tell = () => {} }) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-eval-'));
  let known = null;
  try {
    setUp(state);
    if (!config) known = await startKnown(dir, cases);
    const spec = { dir, state, model, tell, review: reviewer(),
      config: config ? path.resolve(config) : known.config };
    return await atATime(jobs, cases, (one) => evaluate(one, spec));
  } finally {
    if (known) await known.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

// What of the known numbers is another; "" when all came out.
function difference(cases, sums) {
  const wanted = expected(cases);
  return Object.keys(wanted).filter((key) => wanted[key] !== sums[key])
    .map((key) => `${key} is ${sums[key]}, not ${wanted[key]}`).join('; ');
}

async function main() {
  const config = process.env.EVAL_CONFIG;
  const cases = loadCases(process.env.EVAL_CASES);
  const report = process.env.EVAL_REPORT ||
    path.join(root, 'build/eval/report.json');
  if (!cases.length) throw new Error('no case has that name');
  if (!config) console.log('no EVAL_CONFIG: the model that knows the cases');
  const began = Date.now();
  const entries = await run({ cases, config, model: process.env.EVAL_MODEL,
    state: process.env.EVAL_STATE || path.join(root, 'build/eval/state'),
    jobs: Number(process.env.EVAL_JOBS) || 2, tell: console.log });
  const sums = total(entries);
  fs.mkdirSync(path.dirname(report), { recursive: true });
  fs.writeFileSync(report, `${JSON.stringify({ schema: 1,
    model: config ? process.env.EVAL_MODEL || '' : 'known',
    at: new Date(began).toISOString(), wall_ms: Date.now() - began,
    total: sums, categories: byCategory(entries), cases: entries }, null, 1)}\n`);
  console.log(`\n${table(entries)}\n\n${sums.wrong} wrong findings, ` +
    `${sums.clean_wrong} of them in ${sums.clean_spoilt} of ${sums.clean} ` +
    `clean cases; ${sums.failed} reviews failed; ${report}`);
  const other = config ? '' : difference(cases, sums);
  if (other) console.log(`these are not the known numbers: ${other}`);
  return sums.failed || other ? 1 : 0;
}

module.exports = { difference, run };

if (require.main === module)
  main().then((status) => { process.exitCode = status; }, (error) => {
    console.error(error);
    process.exitCode = 1;
  });
