import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Spaces get names that are unique within their tenant, and an order by which they are listed. */
export class Spaces1763810000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(ORDER);
    await runner.query(NAMES);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX spaces_name_key;
      DROP INDEX spaces_of_tenant;
      ALTER TABLE spaces DROP COLUMN seq;
      CREATE INDEX spaces_of_tenant ON spaces (tenant_id);
    `);
  }
}

const ORDER = `
  ALTER TABLE spaces ADD COLUMN seq bigint;
  UPDATE spaces s SET seq = o.place
    FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS place FROM spaces) o
    WHERE o.id = s.id;
  CREATE SEQUENCE spaces_seq_seq OWNED BY spaces.seq;
  SELECT setval('spaces_seq_seq', count(*) + 1, false) FROM spaces;
  ALTER TABLE spaces ALTER COLUMN seq SET NOT NULL,
    ALTER COLUMN seq SET DEFAULT nextval('spaces_seq_seq');
  DROP INDEX spaces_of_tenant;
  CREATE INDEX spaces_of_tenant ON spaces (tenant_id, seq);
`;

const NAMES = `
  -- Nothing has prevented two of one name so far: the default space keeps it, else the oldest, and the
  -- others are told apart by their ids. The longest name is still one of 100 characters.
  UPDATE spaces s SET name = left(s.name, 69) || ' ' || s.id
    WHERE EXISTS (SELECT FROM spaces o
      WHERE o.tenant_id = s.tenant_id AND lower(o.name) = lower(s.name)
        AND (o.is_default, -o.seq) > (s.is_default, -s.seq));
  CREATE UNIQUE INDEX spaces_name_key ON spaces (tenant_id, lower(name));
`;
