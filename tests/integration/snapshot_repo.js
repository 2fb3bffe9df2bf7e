// tests/integration/snapshot_repo.js - a repository of random commits.
// SPDX-License-Identifier: Apache-2.0
//
// usage: node snapshot_repo.js DIR COMMITS SEED
//
// Makes a bare repository in DIR, prints one commit id a line. Each commit
// changes its parent's tree (not always the last one's) in ways that a layer
// over another tree could get wrong.
'use strict';
const { execFileSync } = require('child_process');

const [dir, commits, seed] = [process.argv[2], +process.argv[3],
    +process.argv[4]];
let state = seed >>> 0 || 1;
// xorshift32: the same commits for the same seed
function random(n) {
    state ^= state << 13; state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5; state >>>= 0;
    return state % n;
}
const pick = (list) => list[random(list.length)];

const names = ['a', 'b', 'c.txt', 'd.bin', 'e', '!x.txt', '+y.txt', 'f g',
    'ünï.txt', 'h.txt', '-z', 'Makefile', 'k.sh', '.hidden', '.gitignore'];
const dirs = ['', 'src/', 'src/deep/', 'lib/', 'lib/x/y/', 'docs/', 'a/',
    'b/c/', '!d/'];
const link = '160000';

function content() {
    const kind = random(5);
    if (kind === 0)
        return '';
    if (kind === 1)
        return Buffer.from(Array.from({ length: 300 }, () => random(256)));
    return Array.from({ length: 1 + random(20) },
        () => `line ${random(1000)} $Id$`).join(kind === 2 ? '\r\n' : '\n') +
        '\n';
}

function entry() {
    const kind = random(12);
    if (kind === 0)
        return { mode: '120000', data: pick(['a', '../b', '/etc/passwd',
            'src', 'no/such/place', '.']) };
    if (kind === 1)
        return { mode: link, id: Array.from({ length: 40 },
            () => '0123456789abcdef'[random(16)]).join('') };
    return { mode: kind < 4 ? '100755' : '100644', data: content() };
}

// Put an entry where it was asked for; what is in its way goes.
function put(tree, path, value) {
    const parts = path.split('/');
    for (let i = 1; i < parts.length; i++)
        tree.delete(parts.slice(0, i).join('/'));
    for (const other of [...tree.keys()])
        if (other.startsWith(path + '/'))
            tree.delete(other);
    tree.set(path, value);
}

const somewhere = () => pick(dirs) + pick(names);
const attributes = () => ({ mode: '100644', data: pick([
    '*.txt text eol=crlf\n', '*.txt text eol=lf\n', '*.txt -text\n',
    '* ident\n', '*.txt ident text=auto eol=crlf\n', '# nothing\n']) });

function change(tree) {
    const paths = [...tree.keys()];
    const path = paths.length ? pick(paths) : null;
    const old = path && tree.get(path);
    const parent = path && path.includes('/') &&
        path.slice(0, path.lastIndexOf('/'));

    switch (random(paths.length ? 14 : 2)) {
    case 0: case 1: case 2:
        return put(tree, somewhere(), entry());
    case 3: // delete
        return tree.delete(path);
    case 4: // rename
        tree.delete(path);
        return put(tree, somewhere(), old);
    case 5: // mode
        if (old.mode.startsWith('100'))
            tree.set(path, { ...old,
                mode: old.mode === '100644' ? '100755' : '100644' });
        return undefined;
    case 6: // file or link to directory
        return put(tree, `${path}/${pick(names)}`, entry());
    case 7: // directory to file or link
        return parent && put(tree, parent, entry());
    case 8: // a whole directory goes
        for (const other of parent ? paths : [])
            if (other.startsWith(parent + '/'))
                tree.delete(other);
        return undefined;
    case 9: // a whole directory moves
        for (const other of parent ? paths : []) {
            const value = tree.get(other);
            if (!other.startsWith(parent + '/') || !value)
                continue;
            tree.delete(other);
            put(tree, 'moved' + other.slice(parent.length), value);
        }
        return undefined;
    case 10: // what a path is
        return tree.set(path, entry());
    case 11:
        if (random(16) === 0)
            return put(tree, pick(dirs) + '.gitattributes', attributes());
        return undefined;
    default: // content
        if (old.mode.startsWith('100') && !path.endsWith('.gitattributes'))
            tree.set(path, { mode: old.mode, data: content() });
        return undefined;
    }
}

function write(chunks, text) {
    chunks.push(Buffer.from(text));
}

function emit(chunks, mark, from, tree) {
    const who = 'T <t@example.org> 1767225600 +0000';
    write(chunks, `commit refs/heads/c${mark}\nmark :${mark}\n` +
        `committer ${who}\ndata 2\nc\n` +
        (from ? `from :${from}\n` : '') + 'deleteall\n');
    for (const [path, value] of tree) {
        const name = JSON.stringify(path);
        if (value.mode === link) {
            write(chunks, `M ${link} ${value.id} ${name}\n`);
            continue;
        }
        const data = Buffer.from(value.data);
        write(chunks, `M ${value.mode} inline ${name}\n` +
            `data ${data.length}\n`);
        chunks.push(data);
        write(chunks, '\n');
    }
    write(chunks, '\n');
}

const trees = [];
const chunks = [];
for (let i = 1; i <= commits; i++) {
    const from = i === 1 ? 0 : random(3) ? i - 1 : 1 + random(i - 1);
    const tree = new Map(from ? trees[from - 1] : []);
    for (let n = i === 1 ? 60 : 1 + random(12); n > 0; n--)
        change(tree);
    trees.push(tree);
    emit(chunks, i, from, tree);
}
execFileSync('git', ['init', '-q', '--bare', '-b', 'c1', dir]);
execFileSync('git', ['-C', dir, 'fast-import', '--quiet'],
    { input: Buffer.concat(chunks), stdio: ['pipe', 'inherit', 'inherit'] });
for (let i = 1; i <= commits; i++)
    process.stdout.write(execFileSync('git',
        ['-C', dir, 'rev-parse', `refs/heads/c${i}`]));
