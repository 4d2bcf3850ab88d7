import type { QueryRunner } from 'typeorm';

import { DECLARE_BORDER, findBorder } from './1764141000000-audit-border.js';
import { AUDIT_INDEXES } from './1764142000000-audit-indexes.js';
import type { Migration } from './migration.js';

/**
 * Partitions the audit log by time, so that what is older than its retention is dropped without deleting rows.
 * The table that is there becomes the first partition as it is: no row is moved or looked at.
 *
 * An older program goes on, except that it cannot count refusals: it keeps trying, and says so in its log.
 */
export class AuditPartitions1764143000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE');
    const border = await findBorder(runner);
    if (border === undefined) throw new Error('the audit log has no border');
    const first = border.constraint;
    await runner.query(`
      CREATE SEQUENCE audit_log_ids;
      SELECT setval('audit_log_ids', last_value, is_called) FROM audit_log_id_seq;
      DROP TRIGGER audit_log_is_append_only ON audit_log;
      DROP TRIGGER audit_log_is_kept ON audit_log;
      ALTER TABLE audit_log DROP CONSTRAINT audit_log_pkey, DROP CONSTRAINT audit_log_coalesced_by_key;
      ALTER TABLE audit_log ALTER COLUMN id DROP IDENTITY;
      ALTER TABLE audit_log ALTER COLUMN id SET DEFAULT nextval('audit_log_ids');
      ALTER TABLE audit_log
        ADD CONSTRAINT ${first}_pkey PRIMARY KEY USING INDEX audit_log_at_id,
        ADD CONSTRAINT ${first}_coalesced_by_key UNIQUE USING INDEX audit_log_coalesced_at;
      ALTER INDEX audit_log_of_tenant RENAME TO ${first}_of_tenant;
      ALTER TABLE audit_log RENAME TO ${first};
      CREATE TABLE audit_log (
        id bigint NOT NULL DEFAULT nextval('audit_log_ids'),
        ${COLUMNS},
        CONSTRAINT audit_log_pkey PRIMARY KEY (at, id),
        CONSTRAINT audit_log_coalesced_by_key UNIQUE (coalesced_by, at)
      ) PARTITION BY RANGE (at);
      ALTER SEQUENCE audit_log_ids OWNED BY audit_log.id;
      CREATE INDEX audit_log_of_tenant ON audit_log (tenant_id, id);
      ALTER TABLE audit_log ATTACH PARTITION ${first}
        FOR VALUES FROM (MINVALUE) TO ('${border.at}');
      ${ROW_TRIGGERS}
      CREATE TRIGGER audit_log_is_not_emptied BEFORE TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE;
      CREATE TABLE audit_log_whole (id bigint GENERATED ALWAYS AS IDENTITY, ${COLUMNS});
      INSERT INTO audit_log_whole
        (id, at, tenant_id, actor, action, subject, details, address, request_id, occurrences, coalesced_by)
        OVERRIDING SYSTEM VALUE
        SELECT id, at, tenant_id, actor, action, subject, details, address, request_id, occurrences,
          coalesced_by FROM audit_log;
      SELECT setval(pg_get_serial_sequence('audit_log_whole', 'id'), last_value, is_called)
        FROM audit_log_ids;
      DROP TABLE audit_log;
      ALTER TABLE audit_log_whole RENAME TO audit_log;
      ALTER SEQUENCE audit_log_whole_id_seq RENAME TO audit_log_id_seq;
      ALTER TABLE audit_log
        ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id),
        ADD CONSTRAINT audit_log_coalesced_by_key UNIQUE (coalesced_by);
      CREATE INDEX audit_log_of_tenant ON audit_log (tenant_id, id);
      ${ROW_TRIGGERS}
      CREATE TRIGGER audit_log_is_not_emptied BEFORE TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    `);
    // As the migrations before left it.
    await runner.query(DECLARE_BORDER);
    for (const [name, columns] of Object.entries(AUDIT_INDEXES)) {
      await runner.query(`CREATE UNIQUE INDEX ${name} ON audit_log (${columns})`);
    }
  }
}

const COLUMNS = `
  at timestamptz NOT NULL DEFAULT gatehouse_now(),
  tenant_id text COLLATE "C",
  actor text NOT NULL,
  action text NOT NULL,
  subject text NOT NULL,
  details jsonb NOT NULL DEFAULT '{}',
  address text,
  request_id text,
  occurrences integer NOT NULL DEFAULT 1,
  coalesced_by text COLLATE "C"`;

// Only the count of a coalesced entry may still grow.
const ROW_TRIGGERS = `
  CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE ON audit_log FOR EACH ROW
    WHEN ((OLD.id, OLD.at, OLD.tenant_id, OLD.actor, OLD.action, OLD.subject, OLD.details,
           OLD.address, OLD.request_id, OLD.coalesced_by)
      IS DISTINCT FROM (NEW.id, NEW.at, NEW.tenant_id, NEW.actor, NEW.action, NEW.subject,
           NEW.details, NEW.address, NEW.request_id, NEW.coalesced_by)
      OR NEW.occurrences < OLD.occurrences)
    EXECUTE FUNCTION refuse_change();
  CREATE TRIGGER audit_log_is_kept BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();`;
