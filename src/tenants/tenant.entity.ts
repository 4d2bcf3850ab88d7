import { Column, CreateDateColumn, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/** A company: the owner of credentials and data. */
@Entity('tenants')
@Unique('tenants_slug_key', ['slug'])
@Index('tenants_external_id_key', ['externalId'], {
  unique: true,
  where: 'external_id IS NOT NULL',
})
@Index('tenants_by_metadata', { synchronize: false })
export class Tenant {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'tenants_pkey' })
  id!: string;

  @Column({ type: 'text', collation: 'C' })
  slug!: string;

  @Column('text')
  name!: string;

  /** Suspending is a state, not a revocation: its credentials work again afterwards. */
  @Column({ type: 'timestamptz', name: 'suspended_at', nullable: true })
  suspendedAt!: Date | null;

  /** Not selected by default, so that tenants can be suspended on a schema without the column. */
  @Column({ type: 'text', name: 'external_id', collation: 'C', nullable: true, select: false })
  externalId!: string | null;

  @Column({ type: 'jsonb', nullable: true, select: false })
  metadata!: object | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
