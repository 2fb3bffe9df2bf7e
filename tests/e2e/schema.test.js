#!/usr/bin/env node
// tests/e2e/schema.test.js - the loader and the JSON Schema say the same.
// SPDX-License-Identifier: Apache-2.0
//
// Every document of tests/corpus goes through `berth validate` and, read by
// another YAML library, through its schema. What the schema cannot say is
// listed in beyond-schema.txt, and only that may differ.
'use strict';

const { execFileSync, spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { load } = require('../schema/ajv.js');
const { ok, end } = require('../lib/tap');

const top = path.resolve(__dirname, '../..');
const berth =
  process.env.BERTH_BIN || path.join(top, 'build/debug/bin/berth');
const tools =
  process.env.BERTH_TOOLS || path.join(top, 'build/debug/tests/tools');
const tmp =
  process.env.TEST_TMP || fs.mkdtempSync(path.join(os.tmpdir(), 'schema-'));

function done() {
  end();
}

// What the corpus of a kind is called, and how it is checked.
const kinds = [
  { name: 'pipelines', schema: 'pipeline', options: [], valid: 90,
    invalid: 220, library: true },
  { name: 'jobs', schema: 'job', options: ['--job'], valid: 30, invalid: 100 },
  { name: 'config', schema: 'config', options: ['--config'], valid: 20,
    invalid: 100 },
];

function list(dir) {
  return fs
    .readdirSync(dir)
    .filter((name) => name.endsWith('.yml'))
    .sort()
    .map((name) => path.join(dir, name));
}

// What berth says of each file: {status, byFile}.
function validate(options, files) {
  const run = spawnSync(berth, ['validate', '--json', ...options, ...files], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (run.error) throw run.error;
  if (run.stderr) throw new Error(run.stderr);
  const byFile = new Map();
  for (const entry of JSON.parse(run.stdout).files)
    byFile.set(entry.file, entry);
  return { status: run.status, byFile };
}

// Why the other side refuses a text, or null.
function schemaRefusal({ YAML, check }, text) {
  const options = { version: '1.2', merge: true, prettyErrors: false };
  const document = YAML.parseDocument(text, { ...options, logLevel: 'error' });
  let value;
  if (document.errors.length) return document.errors[0].message;
  try {
    value = document.toJS({ maxAliasCount: 1000 });
  } catch (error) {
    return error.message;
  }
  return check(value) ? null : JSON.stringify(check.errors[0]);
}

function beyondSchema(corpus) {
  const rules = new Map();
  const text = fs.readFileSync(path.join(corpus, 'beyond-schema.txt'), 'utf8');
  for (const line of text.split('\n'))
    if (line && !line.startsWith('#')) rules.set(...line.split(' '));
  return rules;
}

function testValid(kind, tools, files) {
  const { status, byFile } = validate(kind.options, files);
  ok(status === 0, `${kind.name}: exit status 0 when all are valid`);
  for (const file of files) {
    const refusal = schemaRefusal(tools, fs.readFileSync(file, 'utf8'));
    const entry = byFile.get(file);
    ok(entry.valid && !entry.errors.length && refusal === null,
       `valid: ${path.relative(top, file)}`,
       `berth: ${JSON.stringify(entry.errors)}`, `schema: ${refusal}`);
  }
}

function wellFormed(error) {
  return error.line >= 0 && error.column >= 0 && error.message.length > 0;
}

function testInvalid(kind, tools, files) {
  const { status, byFile } = validate(kind.options, files);
  const beyond = beyondSchema(kind.corpus);
  ok(status === 1, `${kind.name}: exit status 1 when any is invalid`);
  for (const file of files) {
    const name = path.basename(file);
    const refusal = schemaRefusal(tools, fs.readFileSync(file, 'utf8'));
    const entry = byFile.get(file);
    const rule = beyond.get(name);
    const expected = rule ? refusal === null : refusal !== null;
    ok(!entry.valid && entry.errors.length && entry.errors.every(wellFormed) &&
         expected,
       `invalid: ${kind.name}/${name}${rule ? ` (beyond the schema: ${rule})` : ''}`,
       `berth: ${JSON.stringify(entry.errors)}`,
       `schema: ${refusal}, which ${rule ? 'must' : 'cannot'} let it pass`);
    beyond.delete(name);
  }
  ok(beyond.size === 0,
     `${kind.name}: what is listed as beyond the schema exists`,
     [...beyond.keys()].join(' '));
}

function testSchema(kind, schema) {
  const bare = [];
  const visit = (node, where) => {
    for (const [key, value] of Object.entries(node.properties || {})) {
      if (value === false) continue;
      if (!value.title || !value.description) bare.push(`${where}.${key}`);
      visit(value, `${where}.${key}`);
    }
    for (const part of ['then', 'items'])
      if (node[part]) visit(node[part], where);
    for (const [key, value] of Object.entries(node.$defs || {}))
      visit(value, key);
  };
  // The `then` that forbids keys has only `false` in it.
  visit(schema, '');
  ok(bare.length === 0,
     `${kind.name}: every key has a title and a description`,
     bare.join(' '));
}

function testLibrary(schemas) {
  const files = list(path.join(top, 'pipelines/library'));
  const wanted =
    '# yaml-language-server: $schema=../../schemas/pipeline.schema.json\n';
  for (const file of files)
    ok(fs.readFileSync(file, 'utf8').startsWith(wanted),
       `${path.relative(top, file)} names its schema to editors`);
  const known = schemas.job.$defs.job.properties.kind.enum;
  const names = files.map((file) => path.basename(file, '.yml'));
  ok([...known].sort().join() === names.join(),
     'the kinds of the job schema are the pipelines that ship',
     `${known} and ${names}`);
}

// As `berth config` writes a value.
function asText(value) {
  return typeof value !== 'object' ? String(value)
    : Object.entries(value).map(([k, v]) => `${k}=${v}`).join(',');
}

// The table of settings, its schema and its page are one.
function testSettings(schema) {
  const got = JSON.parse(execFileSync(berth, ['config', '--json'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: tmp },
  })).settings;
  const keys = new Map();
  for (const [name, value] of Object.entries(schema.properties))
    if (!value.properties) keys.set(name, value);
    else
      for (const [leaf, inner] of Object.entries(value.properties))
        keys.set(`${name}.${leaf}`, inner);
  ok([...keys.keys()].sort().join() === Object.keys(got).sort().join(),
     'the schema of the configuration has the keys of its table',
     [...keys.keys()].join(), Object.keys(got).join());
  for (const [name, { help, type, ...row }] of Object.entries(got)) {
    const key = keys.get(name) || {};
    const same = [];
    if (name !== 'schedules' && name !== 'models')
      same.push(key.description === help.replace(/`/g, ''));
    if ('default' in key) same.push(asText(key.default) === row.default);
    const range = /^whole number, (\d+) to (\d+)$/.exec(type);
    if (range)
      same.push(key.minimum === +range[1] && key.maximum === +range[2]);
    ok(same.every(Boolean), `${name}: the same in table and schema`,
       JSON.stringify(key), JSON.stringify({ help, type, ...row }));
  }
  const page = execFileSync(berth, ['config', '--reference'], {
    encoding: 'utf8',
  });
  const file = path.join(top, 'docs/configuration.md');
  ok(fs.readFileSync(file, 'utf8') === page,
     'docs/configuration.md is what berth config --reference prints');
}

function run(args, input = '') {
  const child = spawnSync(berth, ['validate', ...args], {
    encoding: 'utf8',
    input,
  });
  return { status: child.status, out: child.stdout, err: child.stderr };
}

// The command as people use it.
function testCommand() {
  const good = path.join(top, 'tests/corpus/pipelines/valid/minimal.yml');
  let got = run([good]);
  ok(got.status === 0 && got.out === `${good}: valid\n` && !got.err,
     'a valid file is called valid', JSON.stringify(got));
  got = run(['-'], 'tiemout: 1m\nsteps: [{run: ls}]\n');
  ok(got.status === 1 && !got.out &&
       got.err ===
         "<stdin>:1:1: unknown key 'tiemout' in a pipeline; " +
         "did you mean 'timeout'?\n    1 | tiemout: 1m\n      | ^\n",
     'standard input; an error names its place and shows it',
     JSON.stringify(got));
  got = run([good, path.join(tmp, 'not-there.yml')]);
  ok(got.status === 1 && got.out && got.err.includes('not-there.yml'),
     'a file that is not there is an error, the others are checked',
     JSON.stringify(got));
  got = run(['--json', '-'], '# ' + 'x'.repeat(1 << 20));
  const large = got.status === 1 ? JSON.parse(got.out).files[0] : null;
  ok(large && large.file === '-' && !large.valid &&
       large.errors[0].message.includes('1 MiB') && large.errors[0].line === 0,
     'a document over 1 MiB is refused', JSON.stringify(got));
  got = run(['--job', '-'], 'kind: tset\n');
  ok(got.status === 1 &&
       got.err.startsWith("<stdin>:1:7: 'tset' is not one of: test; " +
                          "did you mean 'test'?"),
     'a job document on standard input', JSON.stringify(got));
  got = run([]);
  ok(got.status === 2 && got.err, 'no file is wrong usage',
     JSON.stringify(got));
  got = run(['--jsn', good]);
  ok(got.status === 2 && got.err, 'an unknown option is wrong usage',
     JSON.stringify(got));
  got = run(['--help']);
  ok(got.status === 0 && got.out.includes('--json'), 'there is help',
     JSON.stringify(got));
}

function testKind(kind, YAML, check) {
  kind.corpus = path.join(top, 'tests/corpus', kind.name);
  const valid = list(path.join(kind.corpus, 'valid'));
  const invalid = list(path.join(kind.corpus, 'invalid'));
  const library = kind.library ? list(path.join(top, 'pipelines/library')) : [];
  const tools = { YAML, check };

  ok(valid.length >= kind.valid,
     `${kind.name}: ${valid.length} valid ones, at least ${kind.valid}`);
  ok(invalid.length >= kind.invalid,
     `${kind.name}: ${invalid.length} invalid ones, at least ${kind.invalid}`);
  testValid(kind, tools, [...valid, ...library]);
  testInvalid(kind, tools, invalid);
}

// What a report of tests/corpus/findings is read as: {status, text}.
function readReport(format, input) {
  const child = spawnSync(path.join(tools, 'findings'), ['read', format],
                          { input, encoding: 'utf8' });
  if (child.error) throw child.error;
  return { status: child.status, text: child.stdout || child.stderr };
}

// Each takes a rule of the schema away from findings that are valid.
const spoilers = {
  'an unknown key': (finding) => { finding.extra = 1; },
  'no message': (finding) => { delete finding.message; },
  'an absolute path': (finding) => { finding.path = '/etc/passwd'; },
  'a path that leads out': (finding) => { finding.path = 'a/../../b'; },
  'an unknown severity': (finding) => { finding.severity = 'fatal'; },
  'a line without a path': (finding) => { finding.line = 1; delete finding.path; },
  'line 0': (finding) => { finding.line = 0; },
  'another address': (finding) => { finding.url = 'javascript:alert(1)'; },
  'too much confidence': (finding) => { finding.confidence = 1.1; },
  'half of a fingerprint': (finding) => { finding.fingerprint = 'abc'; },
};

// All that is written as findings is valid, and comes back as it was.
function testFindings(check) {
  const corpus = path.join(top, 'tests/corpus/findings');
  const files = fs.readdirSync(corpus).sort();
  const formats = new Set();
  for (const name of files) {
    const format = path.extname(name).slice(1);
    const got = readReport(format, fs.readFileSync(path.join(corpus, name)));
    const value = got.status === 0 ? JSON.parse(got.text) : {};
    const again = readReport('findings', got.text);
    formats.add(format);
    ok(got.status === 0 && value.findings.length > 0 && check(value),
       `findings: ${name} becomes what the schema says`, got.text,
       JSON.stringify(check.errors));
    delete value.note;
    ok(again.status === 0 &&
         JSON.stringify(JSON.parse(again.text)) === JSON.stringify(value),
       `findings: ${name} comes back as it was`, got.text, again.text);
  }
  ok(formats.size === 9, 'findings: there is a report of each format',
     [...formats].join());
  const own = fs.readFileSync(path.join(corpus, 'own.findings'), 'utf8');
  for (const [name, spoil] of Object.entries(spoilers)) {
    const value = JSON.parse(readReport('findings', own).text);
    spoil(value.findings[0]);
    ok(!check(value), `findings: the schema refuses ${name}`);
  }
}

function main() {
  const { Ajv, YAML } = load(tmp);
  const ajv = new Ajv({ strict: true, allowUnionTypes: true,
                        strictRequired: false, strictTypes: false });
  const schemas = {};

  for (const kind of kinds) {
    const file = path.join(top, `schemas/${kind.schema}.schema.json`);
    schemas[kind.schema] = JSON.parse(fs.readFileSync(file, 'utf8'));
    ajv.addSchema(schemas[kind.schema]);
    testSchema(kind, schemas[kind.schema]);
  }
  testLibrary(schemas);
  testSettings(schemas.config);
  testCommand();
  for (const kind of kinds)
    testKind(kind, YAML, ajv.getSchema(schemas[kind.schema].$id));
  const findings = path.join(top, 'schemas/findings.schema.json');
  testFindings(ajv.compile(JSON.parse(fs.readFileSync(findings, 'utf8'))));
  done();
}

main();
