import { afterAll, beforeAll } from '@jest/globals';

/** Longest start: two server processes, with a migration, on a loaded machine. */
const STARTS_WITHIN_MS = 60_000;

/** Something that a test file opens before its tests and closes after them. */
interface Closeable {
  close(): Promise<void>;
}

/**
 * Opens a fixture before the tests of a file, or of a `describe`, and before their other hooks. Closes it after them.
 * Its members can be read in tests and hooks, not while tests are declared.
 *
 * @param open makes the fixture
 * @param withinMs the longest time that it may take
 * @returns a stand-in with the fixture's members
 */
export function useFixture<Fixture extends Closeable>(
  open: () => Promise<Fixture>,
  withinMs = STARTS_WITHIN_MS,
): Fixture {
  let current: Fixture | undefined;
  beforeAll(async () => {
    current = await open();
  }, withinMs);
  afterAll(() => current?.close());
  const opened = (): Fixture => {
    if (current === undefined) throw new Error('a fixture was read before the tests');
    return current;
  };
  return new Proxy({} as Fixture, {
    get: (_target, member) => Reflect.get(opened(), member) as unknown,
    // For spreads.
    ownKeys: () => Reflect.ownKeys(opened()),
    getOwnPropertyDescriptor(_target, member) {
      const descriptor = Reflect.getOwnPropertyDescriptor(opened(), member);
      return descriptor && { ...descriptor, configurable: true };
    },
  });
}
