import { availableParallelism } from 'node:os';
import { z } from 'zod';

/** A limit against typing errors. */
const MAX_WORKERS = 256;
/** The embedded PostgreSQL accepts 100 connections. Some are left for commands and for the primary process. */
const EMBEDDED_CONNECTIONS = 85;
/** Connections of a worker beside its pool: those that verify. */
const BESIDE_POOL = 4;

const FAULT = `must be auto or a whole number of processes from 1 to ${MAX_WORKERS}`;

/** `WORKERS`: a number, or `auto` for one process for each core. */
export const workers = z
  .string()
  .regex(/^(auto|[1-9]\d{0,2})$/, FAULT)
  .transform((text) => (text === 'auto' ? text : Number(text)))
  .refine((count) => count === 'auto' || count <= MAX_WORKERS, FAULT);

interface Settings {
  readonly WORKERS: number | 'auto';
  readonly DATABASE_URL?: string | undefined;
  readonly DATABASE_POOL_SIZE: number;
}

/** The number of processes. `auto` takes no more than the embedded PostgreSQL has connections for. */
export function countWorkers(settings: Settings): number {
  if (settings.WORKERS !== 'auto') return settings.WORKERS;
  return Math.min(availableParallelism(), MAX_WORKERS, mostWorkers(settings));
}

/** @returns a fault if the embedded PostgreSQL has not enough connections for the workers */
export function faultsOfWorkers(settings: Settings): readonly string[] {
  const most = mostWorkers(settings);
  if (settings.WORKERS === 'auto' || settings.WORKERS <= most) return [];
  return [
    `WORKERS must be ${most} at most without DATABASE_URL: the embedded database has no connections for more`,
  ];
}

function mostWorkers({ DATABASE_URL: url, DATABASE_POOL_SIZE: poolSize }: Settings): number {
  if (url !== undefined) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor(EMBEDDED_CONNECTIONS / (poolSize + BESIDE_POOL)));
}
