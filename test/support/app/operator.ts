import { OPERATOR } from '../../../src/audit/index.js';
import { createOperatorKeyService, newOperatorKey } from '../../../src/operator-keys/index.js';
import { OPERATOR_SCOPES } from '../../../src/operator-keys/scopes.js';
import type { TestApp, TestKey } from './app.js';

/** An operator key as the command line makes it; without `scopes` it holds all. */
export function createOperatorKey(gatehouse: TestApp, fields: object = {}): Promise<TestKey> {
  return gatehouse.dataSource.transaction(async (manager) => {
    const parsed = newOperatorKey.parse({
      name: 'Test',
      scopes: OPERATOR_SCOPES,
      allowedIps: null,
      expiresInSeconds: null,
      ...fields,
    });
    const { keyring, format } = gatehouse;
    const service = createOperatorKeyService({ keyring, format, manager });
    const { key, secret } = await service.create(OPERATOR, parsed);
    return { id: key.id, secret, bearer: { Authorization: `Bearer ${secret}` } };
  });
}

export const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
export type Method = (typeof METHODS)[number];

/** Makes the function that sends a request to the operator's API. */
export function operatorSender(gatehouse: TestApp, key: TestKey) {
  return (
    method: Method,
    path: string,
    body?: object,
    by: Readonly<Record<string, string>> = key.bearer,
  ) => {
    const request = gatehouse.http[method](`/api/v1/operator/${path}`).set(by);
    return body === undefined ? request : request.send(body);
  };
}
