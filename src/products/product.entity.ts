import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryGeneratedColumn,
} from 'typeorm';

import type { Environment } from '../credentials/kinds.js';

/** Something that a tenant sells or builds with, and shows to the world. */
@Entity('products')
@Index('products_of_space', ['tenantId', 'environment', 'spaceId', 'id'], {
  where: 'deleted_at IS NULL',
})
@Index('products_sku_key', ['tenantId', 'environment', 'spaceId', 'sku'], {
  unique: true,
  where: 'deleted_at IS NULL',
})
@Check('products_environment', `environment IN ('live', 'test')`)
@Check('products_price', 'price_cents >= 0')
@Check('products_currency', '(price_cents IS NULL) = (currency IS NULL)')
export class Product {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'products_pkey',
  })
  id!: string;

  @Column({ type: 'text', name: 'tenant_id', collation: 'C' })
  tenantId!: string;

  @ManyToOne('Tenant')
  @JoinColumn({ name: 'tenant_id', foreignKeyConstraintName: 'products_tenant_fkey' })
  tenant?: unknown;

  @Column('text')
  environment!: Environment;

  @Column({ type: 'text', name: 'space_id', collation: 'C' })
  spaceId!: string;

  @ManyToOne('Space')
  @JoinColumn({ name: 'space_id', foreignKeyConstraintName: 'products_space_fkey' })
  space?: unknown;

  @Column('text')
  name!: string;

  /** The tenant's own number for it, unique where it lives. */
  @Column({ type: 'text', collation: 'C' })
  sku!: string;

  @Column({ type: 'text', nullable: true })
  description!: string | null;

  /** What the price is for, such as `each` or `cubic yard`. */
  @Column({ type: 'text', nullable: true })
  unit!: string | null;

  @Column({ type: 'integer', name: 'price_cents', nullable: true })
  priceCents!: number | null;

  @Column({ type: 'text', nullable: true })
  currency!: string | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;

  @Column({ name: 'updated_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  updatedAt!: Date;

  /** Deleting is soft: the row stays, and nobody sees it. */
  @Column({ name: 'deleted_at', type: 'timestamptz', nullable: true })
  deletedAt!: Date | null;
}
