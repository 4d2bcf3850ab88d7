import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * The metadata of a key below its tenant's id. Each entry of an index with `jsonb_path_ops` is a hash of a value and all
 * names above it, so a search reads entries of one tenant only.
 */
const KEY_METADATA = `(('{"' || tenant_id || '":' || metadata::text || '}')::jsonb)`;

/** A personal token shares no external ids with keys of the tenant, and none with tokens of other accounts. */
const OWNER = `(CASE WHEN kind = 'personal' THEN principal_id ELSE '' END)`;

const INDEXES = {
  tenants_external_id_key: 'UNIQUE tenants (external_id) WHERE external_id IS NOT NULL',
  accounts_external_id_key: 'UNIQUE accounts (external_id) WHERE external_id IS NOT NULL',
  spaces_external_id_key: 'UNIQUE spaces (tenant_id, external_id) WHERE external_id IS NOT NULL',
  credentials_external_id_key: `UNIQUE credentials (tenant_id, ${OWNER}, external_id)
    WHERE external_id IS NOT NULL AND NOT external_id_released`,
  credentials_by_external_id: 'credentials (tenant_id, external_id) WHERE external_id IS NOT NULL',
  tenants_by_metadata: 'tenants USING gin (metadata jsonb_path_ops) WHERE metadata IS NOT NULL',
  accounts_by_metadata: 'accounts USING gin (metadata jsonb_path_ops) WHERE metadata IS NOT NULL',
  credentials_by_metadata: `credentials USING gin (${KEY_METADATA} jsonb_path_ops) WHERE metadata IS NOT NULL`,
} as const;

/** Spaces need no index for metadata: a tenant has a thousand of them at most. */
export class ExternalIdIndexes1764174100000 implements Migration {
  readonly olderPrograms = 'compatible';
  // Outside of a transaction an index can be built while the table is written to.
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, declared] of Object.entries(INDEXES)) {
      const [, unique = '', target = ''] = /^(UNIQUE )?(.*)$/s.exec(declared) ?? [];
      // An index whose building was interrupted is there, but not valid.
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
      await runner.query(`CREATE ${unique}INDEX CONCURRENTLY ${name} ON ${target}`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of Object.keys(INDEXES)) {
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
    }
  }
}
