// tests/eval/scripted.js - a model that knows the cases, and is wrong on cue.
// SPDX-License-Identifier: Apache-2.0
//
// What measures has to be measured: the answers are known, so the numbers that
// have to come out are too. What a case gets depends on its place among those
// of its kind: see MANNERS.
'use strict';

const { isAbout } = require('./score');

const MANNERS = {
  bug: ['right', 'near', 'silent', 'right and wrong', 'doubted', 'wrong'],
  clean: ['doubted', 'wrong', 'silent', 'silent'],
};
const DOUBT = 'This is doubtful';

// A line that came and is about nothing planted; null: there is none.
function otherLine(one) {
  for (const file of one.files)
    for (const { line, text } of file.added)
      if (text.trim() && !one.planted.some((planted) =>
        isAbout({ path: file.path, line }, planted)))
        return { path: file.path, line };
  return null;
}

// The planted place; or two lines off, where a line came.
function place(one, isNear) {
  const at = one.planted.find((planted) => planted.side === 'new');
  const file = one.files.find((f) => f.path === at.path);
  const near = file.added.map((added) => added.line)
    .find((line) => line === at.line - 2 || line === at.end_line + 2);
  return isNear && near ? { path: at.path, line: near } :
    { path: at.path, line: at.line, end_line: at.end_line };
}

function finding(at, message) {
  return { end_line: at.line, side: 'new', severity: 'error', category: 'bug',
    why: 'It happens.', confidence: 0.9, ...at, message };
}

// {manner, findings} of each case, by name.
function plan(cases) {
  const seen = { bug: 0, clean: 0 };
  return new Map(cases.map((one) => {
    const kind = one.bug ? 'bug' : 'clean';
    const manner = MANNERS[kind][seen[kind]++ % MANNERS[kind].length];
    const findings = [];
    const other = otherLine(one);
    if (/right|near/.test(manner))
      findings.push(finding(place(one, manner === 'near'), one.bug));
    if (/wrong|doubted/.test(manner) && other)
      findings.push(finding(other, manner === 'doubted' ?
        `${DOUBT}: ${one.title}.` : `Something else is wrong: ${one.title}.`));
    return [one.name, { manner, findings }];
  }));
}

// What has to come out of it: {hit, missed, wrong, clean_wrong}.
function expected(cases) {
  const sums = { hit: 0, missed: 0, wrong: 0, clean_wrong: 0 };
  const planned = plan(cases);
  for (const one of cases) {
    const { manner, findings } = planned.get(one.name);
    const right = /right|near/.test(manner) ? 1 : 0;
    const wrong = manner === 'doubted' ? 0 : findings.length - right;
    sums.hit += right;
    sums.missed += one.bug && !right ? 1 : 0;
    sums.wrong += wrong;
    sums.clean_wrong += one.bug ? 0 : wrong;
  }
  return sums;
}

// All that was asked, as text.
const textOf = (body) => (body.messages || []).map((message) =>
  (typeof message.content === 'string' ? message.content :
    (message.content || []).map((item) => item.text || '').join('\n')))
  .join('\n');

// Which case it is about: the one all of whose new lines are there, each behind
// its number and the +. What the file had before may be anywhere in a diff.
function caseOf(cases, text) {
  const added = new Set([...text.matchAll(/^[ \d]*\+(.*)$/gm)]
    .map((line) => line[1].trim()));
  return cases.find((one) => one.files.every((file) => file.added.every(
    ({ text: line }) => file.before.includes(line) || added.has(line.trim()))));
}

// For startModel(): the step that answers a request.
function answers(cases) {
  const planned = plan(cases);
  return (body) => {
    const text = textOf(body);
    const claims = [...text.matchAll(/^claim (\d+): .*\n(.*)$/gm)];
    if (claims.length)
      return { text: JSON.stringify({ verdicts: claims.map((claim) => ({
        claim: Number(claim[1]), stands: !claim[2].startsWith(DOUBT),
        why: 'It was looked at.' })) }) };
    const one = caseOf(cases, text);
    if (!one) return { mode: 'fail', status: 400, text: 'which case is that?' };
    return { text: JSON.stringify({
      findings: planned.get(one.name).findings }) };
  };
}

module.exports = { answers, caseOf, expected, plan };
