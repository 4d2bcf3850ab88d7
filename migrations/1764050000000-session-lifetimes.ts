import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Sessions end 90 days after their sign-in at the latest: those that were prolonged past that are cut. */
export class SessionLifetimes1764050000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`UPDATE sessions SET expires_at = created_at + interval '2160 hours'
      WHERE expires_at > created_at + interval '2160 hours'`);
  }

  async down(): Promise<void> {
    // Nothing was altered that an earlier version reads differently.
  }
}
