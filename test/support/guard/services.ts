import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { GuardOptions } from '../../../src/guard/index.js';
import { testServer } from '../database/database.js';

/** A process with a service for each adapter of the guard package. */
export interface GuardedServices {
  readonly origins: Readonly<Record<'koa' | 'express' | 'fastify' | 'fetch', string>>;
  /** Errors that the guard reported. */
  readonly errors: () => string;
  /** Closes the services, and waits for the end of the process. @returns its exit code */
  close(): Promise<number | null>;
}

const SCRIPT = join('test/support/guard', 'framework-services.mjs');

/**
 * @param script in a project that has the package installed; without one, the package is that of the build
 * @param env variables of the process besides those of this one
 */
export async function startServices(
  options: Omit<GuardOptions, 'onError'>,
  script?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<GuardedServices> {
  const folder = script === undefined ? join(testServer().build, 'src/guard') : undefined;
  const child = spawn(process.execPath, [script ?? SCRIPT, JSON.stringify({ folder, options })], {
    env: { ...process.env, ...env },
    stdio: 'pipe',
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    exited.then(() => Promise.reject(new Error(errors))),
  ])) as [string];
  return {
    origins: JSON.parse(line) as GuardedServices['origins'],
    errors: () => errors,
    async close() {
      child.stdin.end();
      const [code] = await exited;
      return code;
    },
  };
}
