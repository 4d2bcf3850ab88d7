import { beforeAll, describe, expect, it } from '@jest/globals';

import { type TestKey } from '../../support/app/app.js';
import { countContacts, postContact } from '../../support/app/contacts.js';
import { expectInvalid, expectProblem } from '../../support/app/problems.js';
import { sendRaw } from '../../support/app/raw-http.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

const LIMIT = 256 * 1024;
const GOOD = '{"type":"customer"}';

describe('the body of a request', () => {
  const gatehouse = useGatehouse();
  let key: TestKey;
  beforeAll(async () => {
    key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
  });

  /** Sends bytes as they are. `null` leaves a header out. */
  const send = async (
    body: string | Buffer,
    headers: Record<string, string | null> = {},
    path = '/api/v1/contacts',
  ) => {
    const all: Record<string, string | null> = {
      'X-API-Key': key.secret,
      'Content-Type': 'application/json',
      'Content-Length': String(Buffer.byteLength(body)),
      ...headers,
    };
    const sent = Object.entries(all).flatMap(([name, value]) =>
      value === null ? [] : [[name, value] as const],
    );
    const answer = await sendRaw(gatehouse.origin, { method: 'POST', path, headers: sent, body });
    const { code } = JSON.parse(answer.text) as { code?: string };
    return { status: answer.status, code };
  };
  const chunked = { 'Content-Length': null, 'Transfer-Encoding': 'chunked' };
  /** Valid JSON of exactly so many bytes. */
  const ofSize = (bytes: number) => GOOD + ' '.repeat(bytes - GOOD.length);

  describe('201', () => {
    it.each([
      ['its length told', {}],
      ['its length untold', chunked],
    ])('is for 256 KiB, with %s', async (_what, headers) => {
      expect((await send(ofSize(LIMIT), headers)).status).toBe(201);
    });

    it.each([
      'application/json',
      'APPLICATION/JSON',
      'application/json; charset=utf-8',
      'application/json;charset="UTF-8"',
      'application/merge-patch+json',
    ])('is for %s', async (type) => {
      expect((await send(GOOD, { 'Content-Type': type })).status).toBe(201);
    });

    it('is the answer to a body that declares the identity encoding', async () => {
      expect((await send(GOOD, { 'Content-Encoding': 'identity' })).status).toBe(201);
    });

    it('keeps every character of a text', async () => {
      const firstName = 'Zoë 🏗️ مريم \u200d"\\ <b>';

      const answer = await postContact(gatehouse, key, { type: 'other', firstName });

      expect(answer.body.data.firstName).toBe(firstName);
    });
  });

  describe('413', () => {
    it.each([
      ['its length told', {}],
      ['its length untold', chunked],
    ])('is for one byte more than 256 KiB, with %s', async (_what, headers) => {
      const before = await countContacts(gatehouse);

      expect(await send(ofSize(LIMIT + 1), headers)).toEqual({
        status: 413,
        code: 'payload_too_large',
      });
      expect(await countContacts(gatehouse)).toBe(before);
    });

    it('is read for admitted callers only', async () => {
      const anonymous = { 'X-API-Key': null };

      expect((await send(ofSize(LIMIT + 1), anonymous)).status).toBe(401);
    });
  });

  describe('415', () => {
    it.each([
      ['no type', { 'Content-Type': null }],
      ['an empty type', { 'Content-Type': '' }],
      ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
      ['plain text', { 'Content-Type': 'text/plain' }],
      ['JSON as text', { 'Content-Type': 'text/json' }],
      ['a similar type', { 'Content-Type': 'application/jsonp' }],
      ['several documents', { 'Content-Type': 'application/json-seq' }],
      ['another charset', { 'Content-Type': 'application/json; charset=utf-16' }],
      ['another charset, later', { 'Content-Type': 'application/json; a=b; charset=latin1' }],
      ['gzip', { 'Content-Encoding': 'gzip' }],
      ['an unknown encoding', { 'Content-Encoding': 'zstd' }],
    ])('is for %s', async (_what, headers) => {
      expect(await send(GOOD, headers)).toEqual({ status: 415, code: 'unsupported_media_type' });
    });

    it('is not the answer to a request without a body', async () => {
      const remove = gatehouse.http.delete('/api/v1/contacts/999999').set(key.bearer);

      expectProblem(await remove.type('text/plain'), 404, 'not_found');
    });
  });

  describe('400', () => {
    it.each<[string, string | Buffer]>([
      ['half of it', '{"type":"customer"'],
      ['something behind it', `${GOOD}x`],
      ['two of them', `${GOOD}${GOOD}`],
      ['a trailing comma', '{"type":"customer",}'],
      ['a comment', '{"type":"customer"/**/}'],
      ['blanks only', '   '],
      ['NaN', '{"type":NaN}'],
      ['a word', 'customer'],
      ['a bare NUL in a text', '{"type":"customer","firstName":"\0"}'],
      ['bytes that are not UTF-8', Buffer.from('{"type":"customer","firstName":"\xff"}', 'latin1')],
      ['an overlong form', Buffer.from('{"type":"\xc0\xaf"}', 'latin1')],
      ['UTF-16', Buffer.from(GOOD, 'utf16le')],
    ])('is for %s', async (_what, body) => {
      expect(await send(body)).toEqual({ status: 400, code: 'bad_request' });
    });

    it('is the answer to deeply nested JSON, or the request is accepted', async () => {
      const depth = 60_000;
      const { status } = await send('['.repeat(depth) + ']'.repeat(depth));

      expect([400, 422]).toContain(status);
    });
  });

  describe('422', () => {
    it.each([
      ['NUL', '{"type":"customer","firstName":"a\\u0000b"}'],
      ['half a surrogate pair', '{"type":"customer","firstName":"\\ud83d"}'],
      ['the other half', '{"type":"customer","firstName":"\\udc00 x"}'],
    ])('is for a text that holds %s, which the database cannot', async (_what, body) => {
      const answer = await postContact(gatehouse, key, JSON.parse(body) as object);

      expectInvalid(answer, ['firstName']);
      expect((await send(body)).status).toBe(422);
    });

    it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
      'answers the member %s, which pollutes nothing',
      async (member) => {
        const body = `{"type":"customer","${member}":{"polluted":true}}`;

        expect(await send(body)).toEqual({ status: 422, code: 'validation_failed' });
        expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
        const patched = `{"${member}":{"type":"vendor"}}`;
        expect((await send(patched)).status).toBe(422);
      },
    );
  });
});
