import type { TestDatabase } from './database.js';

/** Everything that a migration makes, as PostgreSQL describes it. NOT NULL is a part of a column. */
const SCHEMA = `
  SELECT 'column' AS kind, table_name || '.' || column_name AS name,
    concat_ws(' ', data_type, collation_name, is_nullable, column_default, identity_generation) AS is
  FROM information_schema.columns WHERE table_schema = 'public'
  UNION ALL
  SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
  UNION ALL
  SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL
  SELECT 'function', proname, pg_get_functiondef(oid)
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL
  SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL
  SELECT 'relation', relname, relkind::text FROM pg_class
  WHERE relnamespace = 'public'::regnamespace
  ORDER BY 1, 2, 3`;

/** The schema without TypeORM's own table of what has been run, which no migration makes. */
export async function schemaOf(database: TestDatabase): Promise<readonly { name: string }[]> {
  const all = await database.query<{ name: string }>(SCHEMA);
  return all.filter(({ name }) => !name.startsWith('migrations') && !name.startsWith('PK_'));
}
