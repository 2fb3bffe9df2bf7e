#!/usr/bin/env node
// tests/integration/diff.test.js - diffs of the real git, line by line.
// SPDX-License-Identifier: Apache-2.0
//
// Repositories with names and lines that are hard to tell from a diff's own are
// changed at random, seeded. Whatever way git shows the change, each line of
// each hunk must be that of the file with that number, and from the old file
// and the hunks the new one must come out.
'use strict';
const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { ok: report, end } = require('../lib/tap');

const tools = process.env.BERTH_TOOLS ||
    path.resolve(__dirname, '../../build/debug/tests/tools');
const tmp = process.env.TEST_TMP || fs.mkdtempSync(path.join(os.tmpdir(), 'd'));
const env = {
    PATH: process.env.PATH, HOME: tmp, LC_ALL: 'C.UTF-8',
    GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'n', GIT_AUTHOR_EMAIL: 'e', GIT_COMMITTER_NAME: 'n',
    GIT_COMMITTER_EMAIL: 'e',
};
const ROUNDS = 20;
const NAMES = ['plain.txt', 'with space.txt', 't\u00e4g.txt', 'tab\t.txt',
    'quote".txt', 'back\\slash', 'dir b/x b/file', 'a/b/c', 'b/b/c',
    'new\nline', 'trail ', ' lead', 'x -> y', '--- a', 'deep/er/est'];
const LINES = ['', 'int main(void)', '-- a', '++ b', '- a', '+ b', ' c',
    '@@ -1 +1 @@', 'diff --git a/x b/x', '\\ No newline at end of file',
    '--- a/x', '+++ b/x', '\tindented', 'index 1..2 100644', 'r\u00e9sum\u00e9',
    'rename from x', 'Binary files a/x and b/x differ', '}', '{', 'x', 'x'];
// How git may be asked to show it.
const STYLES = [['-U3'], ['-U0', '--no-prefix'],
    ['-U10', '-c', 'diff.mnemonicPrefix=true', '-c', 'core.quotePath=false']];

// mulberry32
function random(seed) {
    let a = seed;
    return (n) => {
        a = (a + 0x6d2b79f5) | 0;
        let t = Math.imul(a ^ (a >>> 15), 1 | a);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) % n;
    };
}

function makeFile(pick) {
    const lines = [];
    for (let n = pick(40); n > 0; n--)
        lines.push(`${LINES[pick(LINES.length)]}${pick(4) ? '' : ` ${n}`}`);
    return { lines, cr: pick(6) === 0, open: pick(5) === 0, run: pick(4) === 0,
        binary: pick(12) === 0 };
}

// Whether its last line has no end.
function isOpen(file) {
    return file.open && file.lines.at(-1) !== '';
}

function textOf(file) {
    const eol = file.cr ? '\r\n' : '\n';
    if (!file.lines.length)
        return '';
    const text = file.lines.join(eol) + (isOpen(file) ? '' : eol);
    return file.binary ? `\0${text}` : text;
}

function changeFile(pick, file) {
    const made = { ...file, lines: [...file.lines] };
    for (let n = 1 + pick(4); n > 0; n--) {
        const at = pick(made.lines.length + 1);
        const what = pick(3);
        if (what === 0)
            made.lines.splice(at, 1 + pick(3));
        else
            made.lines.splice(at, what - 1, LINES[pick(LINES.length)]);
    }
    made.open = pick(5) === 0 ? !file.open : file.open;
    made.run = pick(6) === 0 ? !file.run : file.run;
    return made;
}

function change(pick, before) {
    const after = new Map(before);
    for (const [name, file] of before) {
        const other = NAMES[pick(NAMES.length)];
        switch (pick(6)) {
        case 0:
            after.delete(name);
            break;
        case 1:
            if (!after.has(other)) { // renamed, maybe with a change
                after.delete(name);
                after.set(other, pick(2) ? file : changeFile(pick, file));
            }
            break;
        case 2:
            if (!after.has(other))
                after.set(other, file);
            break;
        default:
            after.set(name, changeFile(pick, file));
        }
    }
    for (const name of NAMES)
        if (!after.has(name) && pick(8) === 0)
            after.set(name, makeFile(pick));
    return after;
}

function write(dir, files) {
    for (const entry of fs.readdirSync(dir))
        if (entry !== '.git')
            fs.rmSync(path.join(dir, entry), { recursive: true });
    for (const [name, file] of files) {
        const full = path.join(dir, name);
        fs.mkdirSync(path.dirname(full), { recursive: true });
        fs.writeFileSync(full, textOf(file));
        fs.chmodSync(full, file.run ? 0o755 : 0o644);
    }
}

function git(dir, ...args) {
    return execFileSync('git', args, { cwd: dir, env, maxBuffer: 64 << 20 });
}

function readDiff(diff) {
    return JSON.parse(execFileSync(path.join(tools, 'findings'), ['diff'],
        { input: diff, encoding: 'utf8', maxBuffer: 64 << 20 }));
}

// What git says in the form for machines.
function readRaw(raw) {
    const fields = raw.toString().split('\0');
    const files = [];
    while (fields[0]) {
        const [oldMode, newMode, , , status] = fields.shift().slice(1).split(' ');
        const from = fields.shift();
        const to = 'RC'.includes(status[0]) ? fields.shift() : from;
        files.push({ from, to, status: status[0], oldMode: parseInt(oldMode, 8),
            newMode: parseInt(newMode, 8) });
    }
    return files;
}

function linesOf(file) {
    const last = file && isOpen(file) ? file.lines.length - 1 : -1;
    return file ? file.lines.map((line, i) =>
        line + (file.cr && i !== last ? '\r' : '')) : [];
}

// Why the lines of a file are not what the two files have; null: they are.
function checkLines(got, before, after) {
    const oldLines = linesOf(before), newLines = linesOf(after);
    const made = [];
    let at = 1;
    for (const line of got.lines) {
        const file = line.kind === '-' ? before : after;
        const number = line.kind === '-' ? line.old : line.new;
        const all = line.kind === '-' ? oldLines : newLines;
        const last = isOpen(file) && number === all.length;
        const text = line.text + (line.cr ? '\r' : '');
        if (text !== all[number - 1])
            return `line ${number}: ${JSON.stringify([text, all[number - 1]])}`;
        if (line.no_newline !== last)
            return `line ${number} and the end of the file`;
        if (line.kind === ' ' && text !== oldLines[line.old - 1])
            return `line ${line.old} before`;
        const start = line.kind === '+' ? line.next_old : line.old;
        while (at < start)
            made.push(oldLines[at++ - 1]);
        at += line.kind !== '+';
        if (line.kind !== '-')
            made.push(newLines[line.new - 1]);
    }
    if (got.lines.length)
        while (at <= oldLines.length)
            made.push(oldLines[at++ - 1]);
    else
        made.push(...oldLines);
    return made.join('\n') === newLines.join('\n') ? null
        : 'another file comes out';
}

const STATUS = { A: 'new', D: 'deleted', M: 'modified', R: 'renamed',
    C: 'copied' };

function checkFile(got, raw, before, after) {
    const was = before.get(raw.from), is = after.get(raw.to);
    if (got.old !== raw.from || got.new !== raw.to ||
        got.status !== STATUS[raw.status])
        return `${got.old} ${got.new} ${got.status}`;
    if (raw.oldMode && raw.newMode && raw.oldMode !== raw.newMode &&
        (got.old_mode !== raw.oldMode || got.new_mode !== raw.newMode))
        return `modes ${got.old_mode} and ${got.new_mode}`;
    const isBinary = [was, is].some((f) => f && f.binary && f.lines.length);
    if (isBinary)
        return got.lines.length ? 'a binary file has lines' : null;
    return got.binary || got.cut ? 'binary or cut'
        : checkLines(got, raw.status === 'A' ? null : was, is);
}

function checkRound(dir, round, seen) {
    const pick = random(round);
    const before = new Map();
    for (const name of NAMES)
        if (pick(3))
            before.set(name, makeFile(pick));
    const after = change(pick, before);
    write(dir, before);
    git(dir, 'add', '-A');
    git(dir, 'commit', '-qm', `round ${round}`, '--allow-empty');
    write(dir, after);
    git(dir, 'add', '-A');
    const find = ['-M', '-C', '--find-copies-harder'];
    const raw = readRaw(git(dir, 'diff', '--cached', ...find, '--raw', '-z'));
    for (const style of STYLES) {
        const settings = style.filter((_, i) => style[i] === '-c' ||
            style[i - 1] === '-c');
        const options = style.filter((word) => !settings.includes(word));
        const diff = git(dir, ...settings, 'diff', '--cached', ...find,
            ...options);
        const { files, cut } = readDiff(diff);
        if (cut || files.length !== raw.length)
            throw new Error(`${style}: ${files.length} of ${raw.length}`);
        files.forEach((file, i) => {
            const why = checkFile(file, raw[i], before, after);
            if (why)
                throw new Error(`${style}, ${JSON.stringify(raw[i])}: ${why}`);
            seen[file.status] = (seen[file.status] || 0) + 1;
            seen.lines += file.lines.length;
            seen.binary += file.binary;
        });
    }
}

function main() {
    const dir = path.join(tmp, 'repo');
    const seen = { lines: 0, binary: 0 };
    let problem = null;
    fs.mkdirSync(dir, { recursive: true });
    git(dir, 'init', '-q');
    git(dir, 'config', 'core.autocrlf', 'false');
    for (let round = 1; round <= ROUNDS && !problem; round++) {
        try {
            checkRound(dir, round, seen);
        } catch (error) {
            problem = `round ${round}: ${error.stack}`;
        }
    }
    report(!problem, 'each line is where git has it', problem);
    report(seen.lines > 5000 && seen.binary > 5 && seen.new > 20 &&
        seen.deleted > 20 && seen.renamed > 20 && seen.copied > 10 &&
        seen.modified > 50, `of all kinds: ${JSON.stringify(seen)}`,
        'the generator is poor');

    const show = git(dir, 'format-patch', '--stdout', '-1');
    const { files } = readDiff(show);
    const names = git(dir, 'diff-tree', '--no-commit-id', '--name-only', '-r',
        '-z', 'HEAD').toString().split('\0').filter(Boolean);
    report(files.length === names.length && files.length > 3 &&
        files.every((file, i) => file.new === names[i]),
        'a patch with its message and signature is read as well',
        JSON.stringify([files.map((file) => file.new), names]));
    end();
}

main();
