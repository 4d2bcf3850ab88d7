import { createTestApp, type TestApp } from './app.js';
import { useFixture } from './use-fixture.js';

/**
 * The application of a test file, or of a `describe`, as `useFixture` opens and closes it.
 *
 * @param env as for `createTestApp`
 */
export function useGatehouse(env?: Record<string, string>): TestApp {
  return useFixture(() => createTestApp(env));
}
