// tests/lib/hosts_project.js - a small project whose changes berth looks at.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const fs = require('fs');
const path = require('path');

const LOCK = path.resolve(__dirname, '../example/package-lock.json');
const DEPENDS = { nanoid: '^3.3.11' };

// One package of what the example is locked to.
function lock() {
  const whole = JSON.parse(fs.readFileSync(LOCK));
  const { packages } = whole;
  const about = { name: 'notes', version: '1.0.0', dependencies: DEPENDS };
  return JSON.stringify({ name: 'notes', version: '1.0.0', lockfileVersion: 3,
    requires: true, packages: { '': about,
      'node_modules/nanoid': packages['node_modules/nanoid'] } }, null, 2);
}

// As ESLint's -f json has it, of two rules.
const LINT = `const fs = require('fs');
const files = [];
let errors = 0;
for (const name of fs.readdirSync('lib')) {
  const filePath = process.cwd() + '/lib/' + name;
  const source = fs.readFileSync('lib/' + name, 'utf8');
  const messages = [];
  let at = 0;
  source.split('\\n').forEach((text, i) => {
    const found = (rule, severity, message, column, more) => messages.push({
      ruleId: rule, severity, message, line: i + 1, column: column + 1,
      endLine: i + 1, ...more });
    const old = text.indexOf('var ');
    const loose = text.indexOf(' == ');
    if (old >= 0)
      found('no-var', 1, 'Unexpected var, use let or const instead.', old, {
        fix: { range: [at + old, at + old + 3], text: 'const' } });
    if (loose >= 0)
      found('eqeqeq', 2, "Expected '===' and instead saw '=='.", loose + 1, {});
    at += text.length + 1;
  });
  errors += messages.filter((m) => m.severity === 2).length;
  files.push({ filePath, messages, source });
}
fs.writeFileSync('eslint.json', JSON.stringify(files));
process.exit(errors ? 1 : 0);
`;

// `quick`: without npm.
const pipeline = (mark, quick = false) => `on: change
sandbox: { image: host, instance_type: lite, network: [npm] }
timeout: 3m
steps:
  - checkout:
  - name: whose
    run: |
      echo "pipeline: ${mark}"
      [ -z "$DEPLOY" ] || echo "the secret is \${#DEPLOY} long"
    secrets: [{ name: DEPLOY, optional: true }]
  - cache: { key: seen, paths: .seen }
  - run: "mkdir -p .seen; echo \\"seen: $(cat .seen/by)\\"; echo ${mark} >.seen/by"
  - run: "if [ -e slow ]; then sleep 100; fi"
${quick ? '' : `  - install: npm
  - run: npm test --silent
    results: tap
    if: "!cancelled()"
`}  - run: node lint.js
    results: { format: eslint, files: eslint.json }
    if: "!cancelled()"
`;

const BASE = `'use strict';
const { nanoid } = require('nanoid');

exports.sum = (a, b) => a + b;
exports.mark = () => nanoid();
`;

const FILES = {
  'package.json': JSON.stringify({ name: 'notes', version: '1.0.0', private: true,
    scripts: { test: 'node --test --test-reporter=tap' },
    dependencies: DEPENDS }, null, 2) + '\n',
  'package-lock.json': lock() + '\n', 'lint.js': LINT,
  'lib/notes.js': BASE,
  'test/notes.test.js': `const test = require('node:test');
const assert = require('node:assert');
const notes = require('../lib/notes');
test('sums', () => assert.strictEqual(notes.sum(1, 2), 3));
test('marks', () => assert.strictEqual(notes.mark().length, 21));
`,
  '.berth/test.yml': pipeline('base'),
};

// What a change adds: two things to find in one function, one in another.
const first = [...BASE.split('\n').slice(0, -1), '',
  'exports.has = (list, text) => {', '  for (const one of list)',
  '    if (one == text) return true;', '  return false;', '};', '',
  'exports.count = (list) => {', '  var n = list.length;', '  return n;', '};', '',
  'exports.first = (list) => {', '  var one = list[0];', '  return one;', '};', ''];
const CHANGE = { 'lib/notes.js': first.join('\n'),
  // This one fails.
  'test/more.test.js': `const test = require('node:test');
const assert = require('node:assert');
const notes = require('../lib/notes');
test('counts', () => assert.strictEqual(notes.count([1, 2]), 3));
` };
// The comparison is right, all else is three lines further down; the test, too.
const SECOND = {
  'lib/notes.js': first.join('\n').replace('one == text', 'one === text')
    .replace('\nexports.has', '\n// What is in a list,\n// and how much\n\nexports.has'),
  'test/more.test.js': CHANGE['test/more.test.js'].replace('2]), 3', '2]), 2') };

const QUICK = { ...FILES, '.berth/test.yml': pipeline('base', true) };

module.exports = { FILES, QUICK, CHANGE, SECOND, pipeline };
