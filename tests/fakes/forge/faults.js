// tests/fakes/forge/faults.js - what goes wrong on the way, when it is asked to.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const DOCS = 'https://docs.github.com/rest';
const inSeconds = (s) => String(Math.floor(Date.now() / 1000) + s);

// By kind: an answer in place of the real one, or {cut}, {wait_ms}. `at` is the
// host's kind.
const KINDS = {
  500: () => ({ status: 500, body: { message: 'Server Error' } }),
  502: () => ({ status: 502, type: 'text/html',
    body: '<html><body><h1>502 Bad Gateway</h1></body></html>' }),
  503: () => ({ status: 503, type: 'text/html', body: '<h1>Unavailable</h1>' }),
  cut: () => ({ cut: 'before' }),
  'cut-after': () => ({ cut: 'after' }),
  primary: (at, f) => ({ status: 403,
    headers: { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '0',
      'x-ratelimit-used': '5000', 'x-ratelimit-resource': 'core',
      'x-ratelimit-reset': inSeconds(f.seconds ?? 1) },
    body: { message: 'API rate limit exceeded for installation ID 1.',
      documentation_url: `${DOCS}/overview/rate-limits-for-the-rest-api` } }),
  429: (at, f) => ({ status: 429,
    headers: { 'retry-after': String(f.seconds ?? 1) },
    ...(at === 'gitlab' ? { type: 'text/plain', body: 'Retry later\n' }
      : { body: { message: 'Too many requests' } }) }),
  secondary: (at, f) => ({ status: 403,
    headers: f.seconds === undefined ? {}
      : { 'retry-after': String(f.seconds) },
    body: { message: 'You have exceeded a secondary rate limit and have been ' +
      'temporarily blocked from content creation. Please retry your request ' +
      'again later.', documentation_url: `${DOCS}/overview/` +
      'rate-limits-for-the-rest-api#about-secondary-rate-limits' } }),
  401: (at) => ({ status: 401, body: { message: at === 'gitlab'
    ? '401 Unauthorized' : 'Bad credentials' } }),
  403: () => ({ status: 403,
    body: { message: 'Resource not accessible by integration' } }),
  404: () => ({ status: 404, body: { message: 'Not Found' } }),
  409: () => ({ status: 409, body: { message: '409 Conflict' } }),
  422: () => ({ status: 422, body: { message: 'Validation Failed',
    errors: [{ resource: 'Fake', code: 'custom', message: 'on demand' }] } }),
  slow: (at, f) => ({ wait_ms: f.ms ?? 500 }),
  garbage: () => ({ status: 200, body: '{"half": ' }),
};

// A small generator: the same seed is the same weather.
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

class Faults {
  constructor(kind) {
    this.kind = kind;
    this.list = [];
    this.random = null;
    this.done = [];
  }

  // {kind, method, path (a regular expression), count (1), skip (0), seconds,
  // ms}: the next `count` requests that fit, after `skip` of them
  add(fault) {
    if (!KINDS[fault.kind]) throw new Error(`no fault "${fault.kind}"`);
    this.list.push({ count: 1, skip: 0, ...fault, kind: String(fault.kind) });
  }

  // {seed, rate (0.1), kinds, most: of one kind of request in a row}
  chaos({ seed, rate = 0.1, kinds, methods = null }) {
    const some = kinds || ['500', '502', 'cut', 'cut-after', '429', 'slow'];
    this.random = { next: dice(seed), rate, kinds: some.map(String), methods };
  }

  clear() {
    this.list = [];
    this.random = null;
  }

  // What is to go wrong with this request; null: nothing.
  pick(method, path) {
    for (const fault of this.list) {
      const fits = (!fault.method || fault.method === method) &&
        (!fault.path || new RegExp(fault.path).test(path));
      if (!fits || fault.count <= 0) continue;
      if (fault.skip-- > 0) continue;
      fault.count--;
      return this.make(fault, method, path);
    }
    const random = this.random;
    if (random && (!random.methods || random.methods.includes(method)) &&
        random.next() < random.rate) {
      const kind = random.kinds[Math.floor(random.next() * random.kinds.length)];
      return this.make({ kind, ms: 50, seconds: 1 }, method, path);
    }
    return null;
  }

  make(fault, method, path) {
    this.done.push({ kind: fault.kind, method, path });
    return { name: fault.kind, ...KINDS[fault.kind](this.kind, fault) };
  }
}

module.exports = { Faults, KINDS: Object.keys(KINDS) };
