import { afterAll, beforeAll } from '@jest/globals';

import { createTestApp, type TestApp } from './app.js';

/**
 * The application of a test file, or of a `describe`: made before its tests and its other hooks, and closed after them.
 * Its members can be read in tests and hooks, not while tests are declared.
 *
 * @param env as for `createTestApp`
 */
export function useGatehouse(env?: Record<string, string>): TestApp {
  let current: TestApp | undefined;
  beforeAll(async () => {
    current = await createTestApp(env);
  });
  afterAll(() => current?.close());
  return new Proxy({} as TestApp, {
    get(_target, member) {
      if (current === undefined) throw new Error(`${String(member)} was read before the tests`);
      return Reflect.get(current, member) as unknown;
    },
  });
}
