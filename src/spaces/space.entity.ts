import {
  Column,
  CreateDateColumn,
  Entity,
  Generated,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
} from 'typeorm';

/** A part of a tenant's data that credentials can be restricted to. Each tenant has a default space. */
@Entity('spaces')
@Index('spaces_one_default', ['tenantId'], { unique: true, where: 'is_default' })
@Index('spaces_of_tenant', ['tenantId', 'seq'])
@Index('spaces_external_id_key', ['tenantId', 'externalId'], {
  unique: true,
  where: 'external_id IS NOT NULL',
})
// On `lower(name)`, which TypeORM cannot express.
@Index('spaces_name_key', { synchronize: false })
export class Space {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'spaces_pkey' })
  id!: string;

  @Column({ type: 'text', name: 'tenant_id', collation: 'C' })
  tenantId!: string;

  @ManyToOne('Tenant')
  @JoinColumn({ name: 'tenant_id', foreignKeyConstraintName: 'spaces_tenant_fkey' })
  tenant?: unknown;

  /** Unique within the tenant, ignoring case. */
  @Column('text')
  name!: string;

  @Column({ type: 'boolean', name: 'is_default' })
  isDefault!: boolean;

  @Column({ type: 'text', name: 'external_id', collation: 'C', nullable: true })
  externalId!: string | null;

  @Column({ type: 'jsonb', nullable: true })
  metadata!: object | null;

  /** The order of creation, by which spaces are listed. */
  @Column('bigint')
  @Generated('increment')
  seq!: string;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
