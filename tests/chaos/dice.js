// tests/chaos/dice.js - chance that can be had again: the same seed, the same.
// SPDX-License-Identifier: Apache-2.0
'use strict';

// mulberry32
function dice(seed) {
    let state = seed;
    function random() {
        state = (state + 0x6D2B79F5) | 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    }
    return {
        random,
        between: (low, high) => low + random() * (high - low),
        pick: (list) => list[Math.floor(random() * list.length)],
    };
}

module.exports = { dice };
