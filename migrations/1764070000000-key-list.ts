import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lists of keys read one short range of an index for each environment and kind, however many keys there are. */
export class KeyList1764070000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX credentials_listed
      ON credentials (tenant_id, environment, kind, issue_seq)`);
    // Every query that used it finds its tenant by the new one.
    await runner.query('DROP INDEX credentials_of_tenant');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX credentials_of_tenant ON credentials (tenant_id, issue_seq)');
    await runner.query('DROP INDEX credentials_listed');
  }
}
