import type { DataSource } from 'typeorm';

import { readSchemaState, type SchemaState } from '../db/schema-state.js';
import { probeWriting } from '../db/write-probe.js';
import { createReadiness } from './readiness.js';
import type { Route } from './routes.js';

/** The dependencies of `/readyz`. */
interface Dependencies {
  readonly dataSource: DataSource;
  /** Queries the database as a verification does. Throws if the query fails. */
  readonly lookup: { probe(): Promise<void> };
  /** Whether the server is stopping. */
  readonly isStopping: () => boolean;
}

/** `/healthz`: the process is alive. `/readyz`: it can serve requests. */
export function createHealthRoutes({
  dataSource,
  lookup,
  isStopping,
}: Dependencies): Route<'public'>[] {
  const readiness = createReadiness({
    migrations: {
      ask: async () => describe(await readSchemaState(dataSource)),
      otherwise: 'unknown',
    },
    verification: {
      ask: () => lookup.probe().then(() => 'possible'),
      otherwise: 'impossible',
    },
    writing: {
      ask: () => probeWriting(dataSource).then(() => 'possible'),
      otherwise: 'impossible',
    },
  });
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
        const { migrations, verification, writing } = await readiness();
        const canWork = verification === 'possible' && writing === 'possible';
        const stopping = isStopping();
        const isReady = migrations === 'current' && canWork && !stopping;
        const database = migrations === 'unknown' ? 'unreachable' : 'reachable';
        ctx.status = isReady ? 200 : 503;
        if (!isReady) ctx.set('Retry-After', '1');
        ctx.body = {
          status: isReady ? 'ready' : 'not ready',
          checks: { database, migrations, verification, writing, stopping },
        };
      },
    },
  ];
}

/** Describes the migrations. `newer`: another release migrated the database, and this one must not serve it. */
function describe(schema: SchemaState): string {
  if (schema.restricting.length > 0) return 'newer';
  return schema.pending.length > 0 ? 'pending' : 'current';
}
