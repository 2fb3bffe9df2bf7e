// tests/fakes/forge/graphql.js - enough of GraphQL to answer what is asked.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const TOKEN = /\s*(?:#[^\n]*\n\s*)*(\.\.\.|[{}()[\]:!=@$|&]|"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?|[_A-Za-z]\w*)[\s,]*/y;

function tokens(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(text);
    if (!token) throw new Error(`Parse error at ${text.slice(at, at + 20)}`);
    found.push(token[1]);
  }
  return found;
}

class Parser {
  constructor(text) {
    this.list = tokens(text);
    this.at = 0;
  }

  peek() {
    return this.list[this.at];
  }

  next(expected) {
    const token = this.list[this.at++];
    if (expected ? token !== expected : token === undefined)
      throw new Error(`Parse error: "${token}" where "${expected}" should be`);
    return token;
  }

  take(token) {
    if (this.peek() !== token) return false;
    this.at++;
    return true;
  }

  document() {
    const out = { operations: [], fragments: {} };
    while (this.peek() !== undefined) {
      if (this.take('fragment')) {
        const name = this.next();
        this.next('on');
        out.fragments[name] = { type: this.next(), fields: this.fields() };
        continue;
      }
      const kind = this.peek() === '{' ? 'query' : this.next();
      if (kind !== 'query' && kind !== 'mutation')
        throw new Error(`Parse error at ${kind}`);
      const variables = {};
      if (this.peek() !== '{' && this.peek() !== '(') this.next();
      if (this.take('(')) while (!this.take(')')) this.variable(variables);
      out.operations.push({ kind, variables, fields: this.fields() });
    }
    return out;
  }

  variable(into) {
    this.next('$');
    const name = this.next();
    this.next(':');
    let type = '';
    while (this.peek() !== '$' && this.peek() !== ')' && this.peek() !== '=')
      type += this.next();
    into[name] = { required: type.endsWith('!'),
      initial: this.take('=') ? this.value() : undefined };
  }

  fields() {
    const list = [];
    this.next('{');
    while (!this.take('}')) {
      if (this.take('...')) {
        if (this.take('on'))
          list.push({ on: this.next(), fields: this.fields() });
        else list.push({ spread: this.next() });
        continue;
      }
      let name = this.next();
      const alias = name;
      if (this.take(':')) name = this.next();
      const args = {};
      if (this.take('('))
        while (!this.take(')')) {
          const arg = this.next();
          this.next(':');
          args[arg] = this.value();
        }
      list.push({ name, alias, args,
        fields: this.peek() === '{' ? this.fields() : null });
    }
    return list;
  }

  // A value as a function of the variables.
  value() {
    const token = this.next();
    if (token === '$') {
      const name = this.next();
      return (v) => v[name];
    }
    if (token === '{') {
      const made = {};
      while (!this.take('}')) {
        const key = this.next();
        this.next(':');
        made[key] = this.value();
      }
      return (v) => Object.fromEntries(
        Object.entries(made).map(([k, f]) => [k, f(v)]));
    }
    if (token === '[') {
      const items = [];
      while (!this.take(']')) items.push(this.value());
      return (v) => items.map((f) => f(v));
    }
    if (/^["\-\d]/.test(token)) return () => JSON.parse(token);
    const words = { true: true, false: false, null: null };
    return () => (token in words ? words[token] : token);
  }
}

// An error with GitHub's `type`, for the answer's list.
class QueryError extends Error {
  constructor(type, message) {
    super(message);
    this.type = type;
  }
}

class Run {
  constructor(document, variables) {
    this.fragments = document.fragments;
    this.variables = variables;
    this.errors = [];
  }

  args(field) {
    return Object.fromEntries(Object.entries(field.args)
      .map(([name, f]) => [name, f(this.variables)]));
  }

  fields(list, object, type) {
    return list.flatMap((field) => {
      const inner = field.on ? { type: field.on, fields: field.fields }
        : field.spread ? this.fragments[field.spread] : null;
      if (!inner) return [field];
      return !type || inner.type === type
        ? this.fields(inner.fields, object, type) : [];
    });
  }

  one(list, object, path) {
    if (object === null || object === undefined) return null;
    if (Array.isArray(object))
      return object.map((item, i) => this.one(list, item, [...path, i]));
    const out = {};
    for (const field of this.fields(list, object, object.__typename)) {
      const at = [...path, field.alias];
      if (!(field.name in object)) {
        this.errors.push({ path: at, message: `Field '${field.name}' doesn't ` +
          `exist on type '${object.__typename || 'of that'}'`,
        extensions: { code: 'undefinedField' } });
        this.invalid = true;
        continue;
      }
      try {
        let value = object[field.name];
        if (typeof value === 'function') value = value(this.args(field));
        const isObject = value !== null && typeof value === 'object';
        if (isObject && !field.fields)
          throw new Error(`Field must have selections ('${field.name}')`);
        out[field.alias] = isObject ? this.one(field.fields, value, at) : value;
      } catch (error) {
        if (!(error instanceof QueryError)) throw error;
        out[field.alias] = null;
        this.errors.push({ type: error.type, path: at, message: error.message });
      }
    }
    return out;
  }
}

// {data, errors} of a request's body; `roots` are {query, mutation}: objects
// whose functions take a field's arguments.
function answer(body, roots) {
  const failed = (message) => ({ errors: [{ message }] });
  if (typeof body?.query !== 'string')
    return failed('A query attribute must be specified and must be a string.');
  try {
    const document = new Parser(body.query).document();
    const operation = document.operations[0];
    const given = body.variables || {};
    const variables = {};
    for (const [name, about] of Object.entries(operation.variables)) {
      variables[name] = given[name] ?? about.initial?.({});
      if (about.required && variables[name] == null)
        return failed(`Variable $${name} was provided invalid value`);
    }
    const run = new Run(document, variables);
    const data = run.one(operation.fields, roots[operation.kind], []);
    if (run.invalid) return { errors: run.errors };
    return run.errors.length ? { data, errors: run.errors } : { data };
  } catch (error) {
    return failed(error.message);
  }
}

// A connection: what `first` and `after` cut out of a list.
function connection(list, args, type) {
  const { first, after, last } = args;
  const count = first ?? last;
  if (count == null)
    throw new QueryError('MISSING_PAGINATION_BOUNDARIES', 'You must provide a ' +
      `\`first\` or \`last\` value to properly paginate the \`${type}\` ` +
      'connection.');
  if (count < 1 || count > 100)
    throw new QueryError('EXCESSIVE_PAGINATION', `Requesting ${count} records ` +
      `on the \`${type}\` connection exceeds the \`first\` limit of 100 records.`);
  const cursor = (i) => Buffer.from(`cursor:${i}`).toString('base64');
  let from = after
    ? +Buffer.from(after, 'base64').toString().replace('cursor:', '') + 1 : 0;
  if (first == null) from = Math.max(0, list.length - count);
  const nodes = list.slice(from, from + count);
  const end = from + nodes.length;
  return { totalCount: list.length, nodes,
    edges: nodes.map((node, i) => ({ node, cursor: cursor(from + i) })),
    pageInfo: { hasNextPage: end < list.length, hasPreviousPage: from > 0,
      startCursor: nodes.length ? cursor(from) : null,
      endCursor: nodes.length ? cursor(end - 1) : null } };
}

module.exports = { answer, connection, QueryError };
