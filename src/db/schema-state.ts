import type { DataSource } from 'typeorm';

import { MIGRATIONS } from '../../migrations/index.js';
import type { OlderPrograms } from '../../migrations/migration.js';
import { errorCode } from './errors.js';
import { StartupError } from './startup-error.js';

/** The migrations of a database compared to those of this program. */
export interface SchemaState {
  /** Whether the database was ever migrated. */
  readonly isEmpty: boolean;
  /** Migrations of this program that the database lacks, oldest first. */
  readonly pending: readonly string[];
  /** Migrations of a newer program that are compatible with this one. */
  readonly compatible: readonly string[];
  /** Migrations of a newer program that store restrictions which this one does not know. */
  readonly restricting: readonly string[];
}

interface Declaration {
  readonly name: string;
  /** `null` if it declared nothing. */
  readonly older_programs: OlderPrograms | null;
}

const UNDEFINED_TABLE = '42P01';
const KNOWN: readonly string[] = MIGRATIONS.map(({ name }) => name);

/** @throws the database's error if it cannot be queried */
export async function readSchemaState(dataSource: DataSource): Promise<SchemaState> {
  const applied = await readApplied(dataSource);
  if (applied === undefined) {
    return { isEmpty: true, pending: KNOWN, compatible: [], restricting: [] };
  }
  const names = new Set(applied);
  const unknown = applied.filter((name) => !KNOWN.includes(name));
  const declared = unknown.length === 0 ? [] : await readDeclarations(dataSource, unknown);
  const isCompatible = (name: string) =>
    declared.some((one) => one.name === name && one.older_programs === 'compatible');
  return {
    isEmpty: false,
    pending: KNOWN.filter((name) => !names.has(name)),
    compatible: unknown.filter(isCompatible),
    // A migration without a declaration may be incompatible.
    restricting: unknown.filter((name) => !isCompatible(name)),
  };
}

/** @throws StartupError if the database has a migration with which this program must not serve */
export function assertNotRestricted({ restricting }: SchemaState): void {
  if (restricting.length === 0) return;
  throw new StartupError(
    `A newer release migrated the database so that this one must not serve it (${restricting.join(', ')}): start the newer release.`,
  );
}

/** Oldest first; `undefined` if the database was never migrated. */
async function readApplied(dataSource: DataSource): Promise<readonly string[] | undefined> {
  try {
    const rows = await dataSource.query<{ name: string }[]>(
      'SELECT name FROM migrations ORDER BY id',
    );
    return rows.length === 0 ? undefined : rows.map(({ name }) => name);
  } catch (error) {
    if (errorCode(error) === UNDEFINED_TABLE) return undefined;
    throw error;
  }
}

async function readDeclarations(
  dataSource: DataSource,
  names: readonly string[],
): Promise<readonly Declaration[]> {
  try {
    return await dataSource.query<Declaration[]>(
      'SELECT name, older_programs FROM migration_declarations WHERE name = ANY ($1)',
      [names],
    );
  } catch (error) {
    if (errorCode(error) === UNDEFINED_TABLE) return [];
    throw error;
  }
}
