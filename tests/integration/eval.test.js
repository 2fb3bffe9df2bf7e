// tests/integration/eval.test.js - the cases by which reviews are measured, and
// the measure.
// SPDX-License-Identifier: Apache-2.0
// long 5
'use strict';

const fs = require('fs');
const path = require('path');
const { execFileSync } = require('child_process');
const { ok, end } = require('../lib/tap');
const { faults, loadCases, makeRepo, parseCase } = require('../eval/cases');
const { isAbout, judge, table, total } = require('../eval/score');
const { caseOf, expected, plan } = require('../eval/scripted');

const tmp = process.env.TEST_TMP;
const cases = loadCases();
const same = (got, wanted, name) => ok(JSON.stringify(got) ===
  JSON.stringify(wanted), name, got, wanted);

// ---- what a case is -----------------------------------------------------------

const bug = parseCase('bug-x', ['title: Do it', 'category: logic',
  'bug: It is not done.', '--- a/b.js', ' one', '-two', '+2', '*3', '*4', '',
  '~five', '+6', ''].join('\n'));
same(bug.files[0].after, ['one', '2', '3', '4', '', '6'], 'a case: after');
same(bug.files[0].before, ['one', 'two', '', 'five'], 'a case: before');
same(bug.planted, [{ path: 'a/b.js', side: 'new', line: 3, end_line: 4 },
  { path: 'a/b.js', side: 'old', line: 4, end_line: 4 }], 'a case: the bug');
same(faults(bug), [], 'a case without faults');
const FAULTY = [
  [{ name: 'x' }, 'a name without a kind'],
  [{ name: 'clean-x' }, 'a name of the other kind'],
  [{ clean: 'It is right.' }, 'both kinds'],
  [{ title: undefined }, 'no title'],
  [{ category: 'taste' }, 'a category that there is not'],
  [{ files: [] }, 'no files'],
  [{ planted: [] }, 'a bug that is nowhere'],
  [{ files: [{ ...bug.files[0], path: '../x' }] }, 'a path that leads out'],
  [{ files: [{ ...bug.files[0], before: bug.files[0].after }] }, 'no change'],
];
for (const [more, name] of FAULTY)
  ok(faults({ ...bug, ...more }).length >= 1, `refused: ${name}`,
    faults({ ...bug, ...more }));
for (const [text, name] of [['title: a\ntitle: b\n', 'a key twice'],
  ['author: me\n', 'a key that there is not'],
  ['--- x\nhello\n', 'a line without a mark']]) {
  let error = null;
  try { parseCase('bug-x', text); } catch (e) { error = e; }
  ok(error, `refused: ${name}`);
}

// ---- those that there are -------------------------------------------------------

ok(loadCases('*-go').every((one) => one.name.endsWith('-go')) &&
  loadCases('bug-*-go').length < loadCases('*-go').length &&
  loadCases('order-by').length === 2 &&
  loadCases('bug-order-by|clean-order-by').length === 2, 'chosen by a pattern');
const bugs = cases.filter((one) => one.bug);
ok(bugs.length >= 30, `there are ${bugs.length} bugs`);
ok(cases.length - bugs.length >= 30,
  `there are ${cases.length - bugs.length} clean changes`);
const languages = new Set(cases.flatMap((one) =>
  one.files.map((file) => path.extname(file.path))));
const missing = ['.js', '.ts', '.py', '.c', '.go', '.rs', '.java', '.sql',
  '.sh', '.yaml'].filter((language) => !languages.has(language));
ok(!missing.length, 'they are in many languages', missing);

// What a diff shows: {changed: "path:side:line", asked: as prompts have it}.
function diffOf(dir) {
  const diff = execFileSync('git', ['-C', dir, 'diff', '-U0', '--no-color',
    '--no-ext-diff', 'main', 'change'], { encoding: 'utf8', env: {
    ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' } });
  const changed = new Set();
  const asked = [];
  let file = '';
  for (const line of diff.split('\n')) {
    const name = /^(?:\+\+\+ b|--- a)\/(.*)$/.exec(line);
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (name) [, file] = name;
    else asked.push(`    12    34 ${line}`);
    if (!hunk) continue;
    for (let i = 0; i < Number(hunk[2] ?? 1); i++)
      changed.add(`${file}:old:${Number(hunk[1]) + i}`);
    for (let i = 0; i < Number(hunk[4] ?? 1); i++)
      changed.add(`${file}:new:${Number(hunk[3]) + i}`);
  }
  return { changed, asked: asked.join('\n') };
}

for (const one of cases) {
  const bad = faults(one);
  const dir = makeRepo(one, path.join(tmp, one.name));
  const { changed, asked } = diffOf(dir);
  const lost = one.planted.flatMap((planted) =>
    Array.from({ length: planted.end_line - planted.line + 1 }, (_, i) =>
      `${planted.path}:${planted.side}:${planted.line + i}`))
    .filter((line) => !changed.has(line));
  const taken = caseOf(cases, asked);
  ok(!bad.length && changed.size && !lost.length && taken === one, one.name,
    bad, lost, taken ? `taken for ${taken.name}` : 'not known again');
  fs.rmSync(dir, { recursive: true });
}

// ---- the measure ----------------------------------------------------------------

const at = (line, more = {}) => ({ path: 'a/b.js', line, end_line: line,
  ...more });
const [onNew, onOld] = bug.planted;
ok(isAbout(at(3), onNew) && isAbout(at(4), onNew), 'the lines themselves');
ok(isAbout(at(1), onNew) && isAbout(at(6), onNew), 'two lines off');
ok(!isAbout(at(7), onNew), 'three lines off');
ok(isAbout(at(1, { end_line: 9 }), onNew), 'lines around them');
ok(!isAbout(at(4, { path: 'b.js' }), onNew), 'another file');
ok(isAbout(at(4, { side: 'old' }), onOld) && !isAbout(at(4), onOld) &&
  !isAbout(at(4, { side: 'old' }), onNew), 'each side has its own lines');
ok(!isAbout({ path: 'a/b.js' }, onNew), 'no line at all');
same(judge(bug, [at(3), at(4), at(30)]), { hit: 1, missed: 0, wrong: 1 },
  'twice is once, and one is wrong');
same(judge(bug, []), { hit: 0, missed: 1, wrong: 0 }, 'nothing: missed');
same(judge({ planted: [] }, [at(3)]), { hit: 0, missed: 0, wrong: 1 },
  'whatever is said of a clean change is wrong');

const entry = (kind, hit, missed, wrong) => ({ kind, category: 'logic', hit,
  missed, wrong, usd: 0.25, tokens: 10, ms: 100 });
const sums = total([entry('bug', 1, 0, 0), entry('bug', 1, 0, 1),
  entry('bug', 0, 1, 0), entry('bug', 1, 0, 0), entry('clean', 0, 0, 2),
  entry('clean', 0, 0, 0)]);
same([sums.precision, sums.recall, sums.f1.toFixed(4)], [0.5, 0.75, '0.6000'],
  'precision, recall and F1');
same([sums.clean_wrong, sums.clean_spoilt, sums.usd, sums.tokens, sums.ms_each],
  [2, 1, 1.5, 60, 100], 'clean cases, cost and time');
const none = total([entry('clean', 0, 0, 0)]);
same([none.precision, none.recall, none.f1], [null, null, null],
  'nothing to divide by');
ok(/^all .* 0\.50 +0\.75 +0\.60 /m.test(table([entry('bug', 1, 0, 0),
  entry('bug', 1, 0, 1), entry('bug', 0, 1, 0), entry('bug', 1, 0, 0),
  entry('clean', 0, 0, 2)])), 'a table');

// ---- the model that knows them -----------------------------------------------------

const planned = [...plan(cases)];
ok(['right', 'near', 'doubted', 'right and wrong', 'wrong', 'silent'].every(
  (manner) => planned.some(([, entry]) => entry.manner === manner)),
'it is right and wrong in every manner');
const known = expected(cases);
ok(known.hit > 0 && known.missed > 0 && known.clean_wrong > 0 &&
  known.wrong > known.clean_wrong, 'and its numbers are all above 0', known);
ok(known.hit + known.missed === bugs.length, 'each bug counts once');
end();
