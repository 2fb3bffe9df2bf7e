// tests/eval/score.js - what findings are worth: precision, recall, F1.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const NEAR = 2; // lines that a finding may be off

// Whether a finding is about these planted lines.
function isAbout(finding, planted) {
  const side = finding.side || 'new';
  const line = finding.line || 0;
  const end = finding.end_line || line;
  return finding.path === planted.path && side === planted.side && line > 0 &&
    line <= planted.end_line + NEAR && end >= planted.line - NEAR;
}

// Of one case: {hit, missed, wrong}. Who says one bug twice is neither more
// nor less right; a review that failed found nothing.
function judge(one, findings) {
  const wrong = findings.filter((finding) =>
    !one.planted.some((planted) => isAbout(finding, planted))).length;
  const hit = findings.length > wrong;
  return { hit: one.bug && hit ? 1 : 0, missed: one.bug && !hit ? 1 : 0,
    wrong };
}

const part = (a, b) => (b ? a / b : null);

// Sums of entries {case, hit, missed, wrong, failed, usd, input_tokens,
// output_tokens, requests, ms}; ratios are null where nothing can be said.
function total(entries) {
  const sum = (key, of = entries) => of.reduce((n, e) => n + (e[key] || 0), 0);
  const clean = entries.filter((entry) => entry.kind === 'clean');
  const hit = sum('hit');
  const wrong = sum('wrong');
  const precision = part(hit, hit + wrong);
  const recall = part(hit, hit + sum('missed'));
  const f1 = precision === null || recall === null ? null :
    part(2 * precision * recall, precision + recall) || 0;
  return { cases: entries.length, bugs: entries.length - clean.length, hit,
    missed: sum('missed'), wrong, precision, recall, f1,
    clean: clean.length, clean_wrong: sum('wrong', clean),
    clean_spoilt: clean.filter((entry) => entry.wrong).length,
    failed: entries.filter((entry) => entry.failed).length,
    usd: sum('usd'), requests: sum('requests'), tokens: sum('tokens'),
    ms: sum('ms'), ms_each: part(sum('ms'), entries.length) };
}

function byCategory(entries) {
  const names = [...new Set(entries.map((entry) => entry.category))].sort();
  return Object.fromEntries(names.map((name) =>
    [name, total(entries.filter((entry) => entry.category === name))]));
}

// ---- for people -----------------------------------------------------------------

const share = (x) => (x === null ? '-' : x.toFixed(2));

function row(name, t) {
  return [name, t.bugs, t.hit, t.clean, t.clean_spoilt, t.wrong,
    share(t.precision), share(t.recall), share(t.f1), t.usd.toFixed(4),
    t.tokens, t.ms_each === null ? '-' : (t.ms_each / 1000).toFixed(1)];
}

// A table: each category, then all.
function table(entries) {
  const rows = [['category', 'bugs', 'found', 'clean', 'spoilt', 'wrong',
    'precision', 'recall', 'F1', 'USD', 'tokens', 's/case'],
  ...Object.entries(byCategory(entries)).map(([name, t]) => row(name, t)),
  row('all', total(entries))];
  const widths = rows[0].map((_, i) =>
    Math.max(...rows.map((cells) => String(cells[i]).length)));
  return rows.map((cells) => cells.map((cell, i) => (i ?
    String(cell).padStart(widths[i]) : String(cell).padEnd(widths[i])))
    .join('  ')).join('\n');
}

module.exports = { NEAR, byCategory, isAbout, judge, table, total };
