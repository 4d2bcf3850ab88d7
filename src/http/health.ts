import type { DataSource } from 'typeorm';

import { readSchemaState, type SchemaState } from '../db/schema-state.js';
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
        const schema = await readSchemaState(dataSource).catch(() => undefined);
        const checks = {
          database: schema === undefined ? 'unreachable' : 'reachable',
          migrations: describe(schema),
          stopping: isStopping(),
        };
        const isReady = checks.migrations === 'current' && !isStopping();
        ctx.status = isReady ? 200 : 503;
        if (!isReady) ctx.set('Retry-After', '1');
        ctx.body = { status: isReady ? 'ready' : 'not ready', checks };
      },
    },
  ];
}

/** `newer`: another release migrated the database so that this one must not serve it any more. */
function describe(schema: SchemaState | undefined) {
  if (schema === undefined) return 'unknown';
  if (schema.restricting.length > 0) return 'newer';
  return schema.pending.length > 0 ? 'pending' : 'current';
}
