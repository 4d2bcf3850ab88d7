import { beforeAll, describe, expect, it } from '@jest/globals';

import { type TestKey } from '../support/app/app.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const KEY = { name: 'A key', scopes: ['contacts:read'] };

describe('the errors of a 422', () => {
  const gatehouse = useGatehouse();
  let admin: TestKey;
  beforeAll(async () => {
    admin = await gatehouse.createKey(await gatehouse.createTenant('acme'));
  });

  const post = (path: string, body: object) =>
    gatehouse.http.post(`/api/v1${path}`).set(admin.bearer).send(body);

  it.each<[string, object, string, string, string]>([
    ['/api-keys', { scopes: KEY.scopes }, 'name', 'required', 'is required'],
    ['/api-keys', { name: 'A' }, 'scopes', 'required', 'is required'],
    ['/contacts', {}, 'type', 'required', 'is required'],
    ['/api-keys', { ...KEY, name: '' }, 'name', 'too_short', 'must have at least 1 character'],
    ['/api-keys', { ...KEY, name: 7 }, 'name', 'invalid_type', 'must be a string'],
    [
      '/api-keys',
      { ...KEY, name: 'x'.repeat(101) },
      'name',
      'too_long',
      'must have at most 100 characters',
    ],
    [
      '/api-keys',
      { ...KEY, scopes: ['contact:read'] },
      'scopes.0',
      'invalid_enum',
      'is not a scope that a key can carry: did you mean contacts:read?',
    ],
    [
      '/api-keys',
      { ...KEY, scopes: ['contacts:raed'] },
      'scopes.0',
      'invalid_enum',
      'is not a scope that a key can carry: did you mean contacts:read?',
    ],
    [
      '/api-keys',
      { ...KEY, environment: 'tset' },
      'environment',
      'invalid_enum',
      'must be one of live, test: did you mean test?',
    ],
    [
      '/api-keys',
      { ...KEY, kind: 'organisation' },
      'kind',
      'invalid_enum',
      'must be one of secret, publishable, service, agent, organization: did you mean organization?',
    ],
    [
      '/api-keys',
      { ...KEY, environment: 'production' },
      'environment',
      'invalid_enum',
      'must be one of live, test',
    ],
    [
      '/api-keys',
      { ...KEY, kind: 'publishable' },
      'scopes',
      'invalid_enum',
      'contacts:read is not a scope that a key of kind publishable can carry',
    ],
    [
      '/api-keys',
      { ...KEY, expiresAt: 'tomorrow' },
      'expiresAt',
      'invalid_format',
      'must be a time such as 2030-01-31T12:00:00Z',
    ],
    [
      '/api-keys',
      { ...KEY, expiresAt: '9999-12-31T23:59:59-14:00' },
      'expiresAt',
      'invalid_format',
      'must lie in the years 1970 to 9999, in UTC',
    ],
    [
      '/api-keys',
      { ...KEY, expiresAt: '2020-01-01T00:00:00Z' },
      'expiresAt',
      'invalid_value',
      'must be in the future',
    ],
    [
      '/api-keys',
      { ...KEY, allowedIps: [] },
      'allowedIps',
      'too_short',
      'must name at least one address; null stands for any address',
    ],
    [
      '/api-keys',
      { ...KEY, kind: 'agent', bindings: [] },
      'bindings',
      'too_short',
      'must name at least one thing; null stands for no binding',
    ],
    [
      '/api-keys',
      { ...KEY, rateLimitPerMinute: -1 },
      'rateLimitPerMinute',
      'too_small',
      'must be at least 0',
    ],
    [
      '/api-keys',
      { ...KEY, rateLimitPerMinute: 1.5 },
      'rateLimitPerMinute',
      'invalid_type',
      'must be a whole number',
    ],
    ['/api-keys', { ...KEY, admin: 1 }, 'admin', 'unknown_member', 'is not a member'],
    ['/contacts', { type: 'vendr' }, 'type', 'invalid_enum', 'did you mean vendor?'],
    [
      '/contacts',
      { type: 'vendor', email: 'nobody' },
      'email',
      'invalid_format',
      'must be an email address',
    ],
  ])('to POST %s with %j name %s: %s', async (path, body, field, code, message) => {
    const answer = await post(path, body);

    expectInvalid(answer, [field]);
    expect(answer.body.errors).toEqual([
      { field, code, message: expect.stringContaining(message) },
    ]);
    expect(answer.body.detail).toContain(`${field} ${answer.body.errors[0].message}`);
  });

  it('repeat neither long names of members nor more than 50 of them', async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`x${n}`, n]));
    const answer = await post('/contacts', { type: 'other', ...many, ['y'.repeat(5000)]: 1 });

    expectProblem(answer, 422, 'validation_failed');
    expect(answer.body.errors).toHaveLength(50);
    expect(answer.body.detail).toContain('and 47 more');

    const long = await post('/contacts', { type: 'other', ['y'.repeat(5000)]: 1 });
    expect(long.text.length).toBeLessThan(1000);
  });

  it('report only the length of a text that is too long', async () => {
    const name = `bwp_live_${'a'.repeat(200_000)}\u202e`;
    const answer = await post('/api-keys', { ...KEY, name });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([
      { field: 'name', code: 'too_long', message: 'must have at most 100 characters' },
    ]);
    const padded = await post('/api-keys', { ...KEY, name: `${' '.repeat(100)}A key ` });
    expect(padded.status).toBe(201);
    expect(padded.body.data.name).toBe('A key');
  });

  it('name the members that a route without a body gets', async () => {
    const send = (body: object) =>
      gatehouse.http.delete('/api/v1/contacts/1').set(admin.bearer).send(body);
    const answer = await send({ confirm: 'x' });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toMatchObject([{ field: 'confirm', code: 'unknown_member' }]);
    expect((await send({})).status).toBe(404);
  });

  it('suggest the nearest value for the first three only', async () => {
    const answer = await post('/api-keys', { ...KEY, scopes: Array(40).fill('contacts:raed') });
    expect(answer.status).toBe(422);
    const near = (answer.body.errors as { message: string }[]).map(({ message }) =>
      message.includes('did you mean'),
    );
    expect(near).toEqual(Array.from({ length: 40 }, (_, index) => index < 3));
  });
});
