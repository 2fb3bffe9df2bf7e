// tests/fakes/forge/router.js - paths to functions, and pages of a list.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { Refusal } = require('./validate');

// {'GET /repos/:owner/:repo': fn}: `:x` is one part of a path, `*x` several.
// The value is fn or [fn, what it needs].
function makeRoutes(table) {
  return Object.entries(table).map(([key, value]) => {
    const [method, pattern] = key.split(' ');
    const names = [];
    const source = pattern.replace(/[.]/g, '\\$&')
      .replace(/([:*])(\w+)/g, (_, kind, name) => {
        names.push(name);
        return kind === ':' ? '([^/]+?)' : '(.+?)';
      });
    const [fn, needs] = Array.isArray(value) ? value : [value, null];
    return { method, regexp: new RegExp(`^${source}$`), names, fn, needs,
      pattern };
  });
}

// The route of a request, its params decoded; 404 and 405 as hosts have them.
function findRoute(routes, method, path) {
  for (const route of routes) {
    if (route.method !== method) continue;
    const found = route.regexp.exec(path);
    if (!found) continue;
    const params = {};
    route.names.forEach((name, i) => {
      params[name] = decodeURIComponent(found[i + 1]);
    });
    return { route, params };
  }
  throw new Refusal(404, { message: 'Not Found', fake: 'no such route here' });
}

// One page of a list, with the Link header. `names` are what the host calls the
// number of a page's items, and `most` how many it gives.
function paginate(fake, ctx, list, { size = 'per_page', most = 100, first = 30,
  wrap = (items) => items } = {}) {
  const count = Math.min(+(ctx.query.get(size) || first) || first, most);
  const page = Math.max(1, +(ctx.query.get('page') || 1) || 1);
  const last = Math.max(1, Math.ceil(list.length / count));
  const link = (n, rel) => {
    const query = new URLSearchParams(ctx.query);
    query.set('page', n);
    return `<${fake.url}${ctx.path}?${query}>; rel="${rel}"`;
  };
  const links = [];
  if (page < last) links.push(link(page + 1, 'next'), link(last, 'last'));
  if (page > 1) links.push(link(1, 'first'), link(page - 1, 'prev'));
  return { body: wrap(list.slice((page - 1) * count, page * count)),
    headers: { ...(links.length ? { link: links.join(', ') } : {}),
      'x-total-count': String(list.length) },
    page, last, count, total: list.length };
}

module.exports = { makeRoutes, findRoute, paginate };
