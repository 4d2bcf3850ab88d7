import { Column, CreateDateColumn, Entity, PrimaryColumn, Unique } from 'typeorm';

/** A company: the owner of credentials and data. */
@Entity('tenants')
@Unique('tenants_slug_key', ['slug'])
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

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
