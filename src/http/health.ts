import type { DataSource } from 'typeorm';

import { isMigrated } from '../db/migrate.js';
import type { Route } from './routes.js';

/** What `/readyz` depends on. */
interface Dependencies {
  readonly dataSource: DataSource;
  /** Whether the server has begun to stop. */
  readonly isStopping: () => boolean;
}

/** `/healthz`: the process answers. `/readyz`: it can do its work, so send it requests. */
export function createHealthRoutes({ dataSource, isStopping }: Dependencies): Route<'public'>[] {
  return [
    {
      method: 'GET',
      path: '/healthz',
      access: 'public',
      handle(ctx) {
        ctx.body = { status: 'ok' };
      },
    },
    {
      method: 'GET',
      path: '/readyz',
      access: 'public',
      async handle(ctx) {
        const migrated = await isMigrated(dataSource).catch(() => undefined);
        const checks = {
          database: migrated === undefined ? 'unreachable' : 'reachable',
          migrations: migrated ? 'current' : migrated === undefined ? 'unknown' : 'pending',
          stopping: isStopping(),
        };
        const isReady = migrated === true && !isStopping();
        ctx.status = isReady ? 200 : 503;
        if (!isReady) ctx.set('Retry-After', '1');
        ctx.body = { status: isReady ? 'ready' : 'not ready', checks };
      },
    },
  ];
}
