import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Products: what publishable keys may read. */
export class Products1763820000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE products (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT products_pkey PRIMARY KEY,
        tenant_id text COLLATE "C" NOT NULL CONSTRAINT products_tenant_fkey REFERENCES tenants,
        environment text NOT NULL CONSTRAINT products_environment
          CHECK (environment IN ('live', 'test')),
        space_id text COLLATE "C" NOT NULL CONSTRAINT products_space_fkey REFERENCES spaces,
        name text NOT NULL,
        sku text COLLATE "C" NOT NULL,
        description text,
        unit text,
        price_cents integer CONSTRAINT products_price CHECK (price_cents >= 0),
        currency text,
        created_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        updated_at timestamptz NOT NULL DEFAULT gatehouse_now(),
        deleted_at timestamptz,
        -- An amount of nothing in particular says nothing.
        CONSTRAINT products_currency CHECK ((price_cents IS NULL) = (currency IS NULL))
      );
      CREATE INDEX products_of_space ON products (tenant_id, environment, space_id, id)
        WHERE deleted_at IS NULL;
      CREATE UNIQUE INDEX products_sku_key ON products (tenant_id, environment, space_id, sku)
        WHERE deleted_at IS NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE products`);
  }
}
