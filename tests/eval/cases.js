// tests/eval/cases.js - changes to review: reading, checking, making them.
// SPDX-License-Identifier: Apache-2.0
//
// A case is one text, cases/NAME.case: keys, then files, each below a line
// "--- path". The first letter of a file's line says what becomes of it:
//   blank  it stays            -  it goes         ~  it goes: that is the bug
//                              +  it comes        *  it comes: that is the bug
// (an empty line is one that stays). Keys, each once:
//   title     of the change, as its author would say it: no hint at a bug
//   category  of CATEGORIES: the kind of the bug, or of what it looks like
//   bug       what is wrong, in a sentence; or
//   clean     why nothing is, though it may look so
'use strict';

const fs = require('fs');
const path = require('path');
const { execFileSync } = require('child_process');

const DIR = path.join(__dirname, 'cases');
const CATEGORIES = ['async', 'authorization', 'boundary', 'cache', 'config',
  'contract', 'crypto', 'deadlock', 'errors', 'injection', 'leak', 'logic',
  'memory', 'overflow', 'panic', 'performance', 'query', 'race', 'redirect',
  'refactoring', 'secrets', 'shell', 'state', 'time', 'traversal',
  'unbounded'];
const KEYS = ['title', 'category', 'bug', 'clean'];
const LINES_MAX = 120; // of a file: these are small changes

// Lines with their numbers on both sides; what is planted as ranges.
function readFile(name, lines) {
  const file = { path: name, before: [], after: [], added: [], planted: [] };
  const plant = (side, line) => {
    const last = file.planted[file.planted.length - 1];
    if (last && last.side === side && last.end_line === line - 1)
      last.end_line = line;
    else file.planted.push({ path: name, side, line, end_line: line });
  };
  for (const line of lines) {
    const mark = line[0] || ' ';
    const text = line.slice(1);
    if (!' -~+*'.includes(mark))
      throw new Error(`${name}: a line begins with '${mark}'`);
    if (' -~'.includes(mark)) file.before.push(text);
    if (' +*'.includes(mark)) file.after.push(text);
    if ('+*'.includes(mark))
      file.added.push({ line: file.after.length, text });
    if (mark === '*') plant('new', file.after.length);
    if (mark === '~') plant('old', file.before.length);
  }
  return file;
}

// {name, title, category, bug, clean, files, planted}; throws at what is wrong.
function parseCase(name, text) {
  const one = { name, files: [], planted: [] };
  const [head, ...parts] = text.replace(/\n$/, '').split(/^--- /m);
  for (const line of head.split('\n').filter(Boolean)) {
    const [, key, value] = /^([a-z]+): (\S.*)$/.exec(line) || [];
    if (!KEYS.includes(key) || one[key] !== undefined)
      throw new Error(`not a key, or there twice: ${line}`);
    one[key] = value;
  }
  for (const part of parts) {
    const [file, ...lines] = part.replace(/\n$/, '').split('\n');
    one.files.push(readFile(file, lines));
  }
  one.planted = one.files.flatMap((file) => file.planted);
  return one;
}

// What is wrong with a case, a text each.
function faults(one) {
  const bad = [];
  const kind = /^(bug|clean)-[a-z0-9-]+$/.exec(one.name);
  const paths = one.files.map((file) => file.path);
  if (!kind) bad.push('the name is none: bug-… or clean-…');
  else if (!one[kind[1]] || (one.bug && one.clean))
    bad.push(`one of bug and clean, as the name says: ${kind[1]}`);
  if (!one.title || one.title.length > 72) bad.push('no title, or a long one');
  if (!CATEGORIES.includes(one.category))
    bad.push(`category: ${one.category}`);
  if (!paths.length || new Set(paths).size < paths.length)
    bad.push('no files, or one twice');
  if (paths.some((p) => !/^[\w.-]+(\/[\w.-]+)*$/.test(p) || p.includes('..')))
    bad.push('the path of a file is none');
  if (one.files.some((file) => file.after.length > LINES_MAX))
    bad.push(`a file has more than ${LINES_MAX} lines`);
  if (!one.files.some((f) => f.before.join('\n') !== f.after.join('\n')))
    bad.push('nothing changes');
  if (Boolean(one.bug) !== one.planted.length > 0)
    bad.push('planted lines are for bugs, and each has some');
  return bad;
}

// Whether a name has one of the words of a|b|c; a word with * is the whole name.
const fits = (name, pattern) => pattern.split('|').some((word) => {
  const parts = word.trim().split('*')
    .map((part) => part.replace(/[^\w]/g, '\\$&'));
  return parts.length > 1 ? new RegExp(`^${parts.join('.*')}$`).test(name) :
    name.includes(word.trim());
});

// By name; of all those that fit.
function loadCases(pattern = '') {
  return fs.readdirSync(DIR).filter((file) => file.endsWith('.case')).sort()
    .map((file) => path.basename(file, '.case'))
    .filter((name) => fits(name, pattern))
    .map((name) => {
      const text = fs.readFileSync(path.join(DIR, `${name}.case`), 'utf8');
      try {
        return parseCase(name, text);
      } catch (error) {
        throw new Error(`${name}: ${error.message}`);
      }
    });
}

function git(dir, ...args) {
  return execFileSync('git', ['-C', dir, '-c', 'user.name=Author',
    '-c', 'user.email=author@example.org', '-c', 'commit.gpgsign=false',
    ...args], { encoding: 'utf8', env: { ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z',
    GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' } });
}

// Write one side; without any lines there is no file.
function writeSide(dir, one, side) {
  for (const file of one.files) {
    const to = path.join(dir, file.path);
    if (!file[side].length) {
      fs.rmSync(to, { force: true });
      continue;
    }
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.writeFileSync(to, `${file[side].join('\n')}\n`);
  }
}

// A repository in `dir`: before on main, after on change, which is HEAD.
function makeRepo(one, dir) {
  fs.mkdirSync(dir, { recursive: true });
  git(dir, 'init', '-q', '-b', 'main');
  writeSide(dir, one, 'before');
  git(dir, 'add', '-A');
  git(dir, 'commit', '-q', '--allow-empty', '-m', 'Begin');
  git(dir, 'checkout', '-q', '-b', 'change');
  writeSide(dir, one, 'after');
  git(dir, 'add', '-A');
  git(dir, 'commit', '-q', '-m', one.title);
  return dir;
}

module.exports = { CATEGORIES, faults, git, loadCases, makeRepo, parseCase };
