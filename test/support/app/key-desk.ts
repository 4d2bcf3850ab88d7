import { expect } from '@jest/globals';
import type { Test } from 'supertest';

import type { TestApp, TestKey } from './app.js';

/** A key as the API shows it; `key` only where it is shown. */
export interface ShownKey {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly environment: string;
  readonly scopes: readonly string[];
  readonly allowedIps: readonly string[] | null;
  readonly expiresAt: string | null;
  readonly status: string;
  readonly maskedKey: string;
  readonly key?: string;
}

/** Actions of an administrator on keys, over the API. */
export interface KeyDesk {
  /** Asks for a key, whatever becomes of it. */
  ask(fields: object): Test;
  /** Asks for a key and gets it. */
  issue(fields: object): Promise<TestKey & { readonly shown: ShownKey }>;
  /** @param query such as `?environment=test` */
  list(query?: string): Promise<readonly ShownKey[]>;
  show(id: string): Promise<ShownKey>;
  change(id: string, fields: object): Test;
  rotate(id: string, fields?: object): Promise<TestKey & { readonly shown: ShownKey }>;
  revoke(id: string, fields?: object): Test;
}

/** @param by the holder of this key */
export function createKeyDesk({ http }: TestApp, { bearer }: TestKey): KeyDesk {
  const keys = '/api/v1/api-keys';
  const received = async (asked: Test) => {
    const { status, body } = await asked;
    expect({ status, body }).toMatchObject({ status: 201, body: { data: {} } });
    const shown = body.data as ShownKey & { key: string };
    const { id, key: secret } = shown;
    return { id, secret, bearer: { Authorization: `Bearer ${secret}` }, shown };
  };
  const ask = (fields: object) => http.post(keys).set(bearer).send(fields);
  return {
    ask,
    issue: (fields) => received(ask({ name: 'A key', ...fields })),
    async list(query = '') {
      const answer = await http.get(`${keys}${query}`).set(bearer).expect(200);
      return answer.body.data as readonly ShownKey[];
    },
    async show(id) {
      const answer = await http.get(`${keys}/${id}`).set(bearer).expect(200);
      return answer.body.data as ShownKey;
    },
    change: (id, fields) => http.patch(`${keys}/${id}`).set(bearer).send(fields),
    rotate: (id, fields = {}) =>
      received(http.post(`${keys}/${id}/rotate`).set(bearer).send(fields)),
    revoke: (id, fields = {}) => http.delete(`${keys}/${id}`).set(bearer).send(fields),
  };
}
