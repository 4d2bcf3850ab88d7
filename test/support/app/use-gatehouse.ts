import { createTestApp, type TestApp } from './app.js';
import { useFixture } from './use-fixture.js';

/**
 * The application of a test file, or of a `describe`, as `useFixture` opens and closes it.
 *
 * @param env as for `createTestApp`
 * @param clock as for `createTestApp`
 */
export function useGatehouse(env?: Record<string, string>, clock?: () => number): TestApp {
  return useFixture(() => createTestApp(env, clock));
}

/** As `useGatehouse`, for an application that believes what tests say about their address. */
export function useGatehouseBehindProxy(env?: Record<string, string>): TestApp {
  return useGatehouse({ TRUST_PROXY: '127.0.0.1', ...env });
}
