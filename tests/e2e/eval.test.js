// tests/e2e/eval.test.js - measuring reviews, by a model whose numbers are known.
// SPDX-License-Identifier: Apache-2.0
// long 45
// timeout 1800
'use strict';

const { ok, end } = require('../lib/tap');
const { difference, run } = require('../eval/eval');
const { loadCases } = require('../eval/cases');
const { table, total } = require('../eval/score');
const { makeState } = require('./opencode_rig');

// Of the bugs one is found, one is found two lines off, one is missed, and one
// is found together with something wrong; a claim about the first clean change
// is refuted, one about the second stands.
const NAMES = ['bug-attachment-path-js', 'bug-bitmap-size-c',
  'bug-blocked-sender-go', 'bug-order-by-js', 'clean-attachment-path-js',
  'clean-order-by-js'];
const WANTED = { cases: 6, bugs: 4, hit: 3, missed: 1, wrong: 2,
  precision: 0.6, recall: 0.75, clean: 2, clean_wrong: 1, clean_spoilt: 1,
  failed: 0, requests: 11 };

async function main() {
  if (!process.env.OPENCODE_SLOW) {
    console.log('ok 1 - # SKIP make test-opencode runs it');
    console.log('1..1');
    return;
  }
  const cases = loadCases(NAMES.join('|'));
  const entries = await run({ cases, state: makeState('state') });
  const sums = total(entries);

  ok(cases.length === NAMES.length, 'six cases', cases.map((one) => one.name));
  for (const [key, wanted] of Object.entries(WANTED))
    ok(sums[key] === wanted, `${key}: ${wanted}`, sums[key], table(entries),
      entries);
  ok(sums.f1.toFixed(4) === '0.6667', 'F1: 0.6667', sums.f1);
  ok(sums.usd > 0 && sums.tokens === 11 * 120, 'cost and tokens are counted',
    sums.usd, sums.tokens);
  ok(difference(cases, sums) === '', 'these are the numbers that were planned',
    difference(cases, sums));
  ok(entries.every((entry, i) => entry.name === cases[i].name),
    'the entries are in the order of the cases');
  end();
}

main();
