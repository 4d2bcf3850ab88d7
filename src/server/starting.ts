import type { Config } from '../config.js';
import { createSigningKeyStore } from '../signing-keys/index.js';
import {
  createDemo,
  findUnshown,
  greeting,
  noteShown,
  reminder,
  type Demo,
  type Unshown,
} from './demo.js';
import { openInstance, type ServerInstance } from './instance.js';
import type { Serving } from './listening.js';

/**
 * Opens the instance, serves it until the server is to stop, and closes it. Writes the greeting of a first start.
 * @param serve serves an instance, and calls `onListening` with the port
 * @param whileOpening work that takes place while the database starts. It does not fail
 */
export async function start(
  serving: Serving,
  serve: (
    serving: Serving,
    instance: ServerInstance,
    onListening: (port: number) => Promise<void>,
  ) => Promise<void>,
  whileOpening?: () => Promise<void>,
): Promise<void> {
  const { config, log, stopping } = serving;
  let demo: Demo | undefined;
  let unshown: Unshown | undefined;
  const instance = await openInstance({
    config,
    log,
    whileOpening,
    seed: async (dataSource, keyring) => {
      await dataSource.transaction((manager) => createSigningKeyStore(manager, keyring).ensure());
      unshown = await findUnshown(dataSource);
      if (config.NODE_ENV !== 'production') demo = await createDemo(dataSource, keyring, config);
      // Keeps the lock until the greeting is written, so that no other server shows a reminder.
      return demo !== undefined || unshown !== undefined;
    },
    signal: stopping.stopped,
  });
  try {
    await serve(serving, instance, async (port) => {
      if (demo !== undefined) process.stdout.write(greeting(demo, addressOf(config, port)));
      else if (unshown !== undefined) process.stdout.write(reminder(unshown));
      if (demo !== undefined || unshown !== undefined) await noteShown(instance.dataSource);
      await instance.letOthersStart();
    });
  } finally {
    await instance.close();
  }
  log.info({}, 'stopped');
}

/** The issuer, because sign-in works at its origin only. With `PORT=0` the default issuer is not reachable. */
function addressOf({ ISSUER, PORT }: Config, port: number): string {
  return ISSUER === `http://localhost:${PORT}` ? `http://localhost:${port}` : ISSUER;
}
