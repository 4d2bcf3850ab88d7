import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Finds abandoned sign-ins, so that they are deleted when they expire and not days later with their partition. */
export class Interactions1764020000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX oauth_artifacts_of_strangers ON oauth_artifacts (expires_at)
      WHERE kind = 'Interaction'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX oauth_artifacts_of_strangers');
  }
}
