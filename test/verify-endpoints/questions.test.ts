import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { SCOPES } from '../../src/scopes/catalog.js';
import { readPlainQuestions } from '../../src/verify-endpoints/questions.js';
import { LIMITS, verifyRequest } from '../../src/verify-endpoints/verify-schema.js';

const text = (length: number) => 'a'.repeat(length);

/** Values of each member: usual ones, those at a bound, and those that the schema refuses. */
const MEMBERS: Readonly<Record<string, readonly unknown[]>> = {
  credential: [
    'bwp_live_x',
    text(LIMITS.credential),
    text(LIMITS.credential + 1),
    '',
    'é',
    null,
    7,
  ],
  presentation: ['bearer', 'x-api-key', 'query', 'dpop', 'cookie', '', null, ['bearer']],
  method: ['GET', 'POST', 'PROPFIND', 'get', 'A'.repeat(33), '', 'GET\n', null, 5],
  address: [
    '203.0.113.7',
    '::1',
    '::ffff:192.0.2.1',
    '::192.0.2.1',
    'fe80::1%eth0',
    '1.2.3',
    '01.2.3.4',
    '',
    null,
  ],
  scopes: [
    [],
    [SCOPES[0]],
    [...SCOPES],
    [...SCOPES, SCOPES[0]],
    ['nothing:read'],
    [null],
    SCOPES[0],
    { length: 0 },
    null,
  ],
  cost: [0, 1, LIMITS.cost, LIMITS.cost + 1, -1, 1.5, '1', null, true],
  space: ['spc_1', ''],
  principals: [['user'], []],
  requests: [1, 2],
  unknown: [1],
  ['__proto__']: [{ cost: 5 }],
};

const PLAIN = ['presentation', 'method', 'address', 'scopes', 'cost'];

/** A JSON text, so that a member may be named `__proto__`. Four of five questions have a good credential. */
const question = fc
  .tuple(
    fc.integer({ min: 0, max: 4 }),
    fc.uniqueArray(fc.constantFrom(...PLAIN, ...PLAIN, ...PLAIN, ...Object.keys(MEMBERS)), {
      maxLength: 3,
    }),
    fc.array(fc.oneof(fc.nat(1), fc.nat(8)), { minLength: 3, maxLength: 3 }),
  )
  .map(([isFaulty, names, picks]) => {
    const chosen = names.map((name, index) => {
      const values = MEMBERS[name] ?? [];
      return [name, values[(picks[index] ?? 0) % values.length]] as const;
    });
    const members = isFaulty === 0 ? chosen : [...chosen, ['credential', 'bwp_live_x'] as const];
    return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  });

const bodies = fc.oneof(
  fc
    .array(question, { minLength: 0, maxLength: 2 })
    .map((all) => `{"credentials":[${all.join(',')}]}`),
  fc.constantFrom(
    'null',
    '[]',
    '{}',
    '{"credentials":null}',
    '{"credentials":{"length":1}}',
    '{"credentials":[null]}',
    '{"credentials":[[]]}',
    '{"credentials":[{"credential":"x"}],"more":1}',
    '{"__proto__":{"credentials":[{"credential":"x"}]}}',
    `{"credentials":[${Array(LIMITS.credentials + 1)
      .fill('{"credential":"x"}')
      .join(',')}]}`,
  ),
);

describe('the short way to read questions', () => {
  it('reads what the schema reads, and leaves everything else to it', () => {
    let read = 0;
    fc.assert(
      fc.property(bodies, (body) => {
        const questions = readPlainQuestions(JSON.parse(body));
        if (questions === undefined) return;
        read += 1;
        const parsed = verifyRequest.safeParse(JSON.parse(body));
        expect({ credentials: questions }).toEqual(parsed.data);
      }),
      { numRuns: 3000 },
    );
    // About a tenth of them is read in the short way.
    expect(read).toBeGreaterThan(100);
  });

  it('leaves a body to the schema that is faulty or has unusual members', () => {
    for (const [name, value] of [
      ['space', 'spc_1'],
      ['cost', -1],
      ['address', '1.2.3'],
    ] as const) {
      const body = { credentials: [{ credential: 'bwp_live_x', [name]: value }] };
      expect(readPlainQuestions(body)).toBeUndefined();
    }
  });
});
