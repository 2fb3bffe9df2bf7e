// tests/integration/gateway_inject.js - which fields a gateway injects, and when.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const { withGateway, open, ask, get, assert, until } =
    require('./gateway_rig');

// `facts()` are gateway_world.js'; `inject` has the field of the tests.
module.exports = (tests, facts, inject) => {
    tests['inject: not with a method whose answer could hold it'] =
        () => withGateway({ inject: [{ ...inject[0], tls: false }] }, async (g) => {
            const before = facts().requests.length;
            for (const method of ['TRACE', 'trace', 'TRACK', 'DEBUG', 'get', 'X']) {
                const text = await ask(g, get('ok.example.net', '/t')
                    .replace('GET', method));
                assert(text.startsWith('HTTP/1.1 405 ') &&
                    !text.includes('s3cr3t'), text);
                assert((await g.event()).verdict === 'request');
            }
            assert(facts().requests.length === before, facts().requests);
            // Where nothing is injected they are nobody's concern.
            await ask(g, get('www.example.net', '/t').replace('GET', 'REPORT'));
            assert(facts().requests.length === before + 1, facts().requests);
        });

    tests['hold: fields come and go, and what is under way with one ends'] =
        () => withGateway({}, async (g) => {
            const plain = [{ ...inject[0], tls: false }];
            const sent = async () => {
                await ask(g, get('ok.example.net', '/h'));
                await g.event();
                return facts().requests.pop().headers.authorization;
            };
            assert(await sent() === undefined);
            await g.hold(plain);
            assert(await sent() === inject[0].value);
            const slow = open(g);
            slow.write(get('ok.example.net', '/slow'));
            const mute = open(g);
            await until(() => slow.text.includes('more'), 'it is slow');
            // The same field again: nothing changes for who has it.
            await g.hold([...plain, { ...plain[0], host: 'mute.example.net' }]);
            delete facts().asked['mute.example.net A'];
            mute.write(get('mute.example.net'));
            await until(() => facts().asked['mute.example.net A'], 'it dials');
            const seen = slow.text.length;
            await until(() => slow.text.length > seen, 'it goes on');
            await g.hold([{ ...plain[0], value: 'other' }]);
            await slow.over;
            await mute.over;
            assert(mute.text.startsWith('HTTP/1.1 403 ') &&
                mute.text.includes('has ended'), mute.text);
            assert((await g.event('ok.example.net')).verdict === 'request');
            assert(await sent() === 'other');
            await g.hold([]);
            assert(await sent() === undefined);
        });

    // The certificates it trusts are read before it gives files up.
    tests['hold: a field for a host with TLS'] =
        () => withGateway({ tls: true }, async (g) => {
            await g.hold(inject);
            const text = await ask(g, get('ok.example.net', '/late'));
            assert(text.endsWith('hello /late'), text);
            assert(facts().secureRequests.pop().headers.authorization ===
                inject[0].value);
        });
};
