import { Column, CreateDateColumn, Entity, Index, PrimaryGeneratedColumn, Unique } from 'typeorm';

/** One entry of the append-only audit log. */
@Entity('audit_log')
@Unique('audit_log_coalesced_by_key', ['coalescedBy'])
@Index('audit_log_of_tenant', ['tenantId', 'id'])
export class AuditEntry {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'audit_log_pkey',
  })
  id!: string;

  @CreateDateColumn({ type: 'timestamptz', default: () => 'gatehouse_now()' })
  at!: Date;

  @Column({ type: 'text', name: 'tenant_id', collation: 'C', nullable: true })
  tenantId!: string | null;

  /** Who did it: a credential's or account's id, or `operator`. */
  @Column('text')
  actor!: string;

  /** What was done, such as `api_key.create`. */
  @Column('text')
  action!: string;

  /** To what it was done. */
  @Column('text')
  subject!: string;

  @Column({ type: 'jsonb', default: {} })
  details!: object;

  @Column({ type: 'text', nullable: true })
  address!: string | null;

  @Column({ type: 'text', name: 'request_id', nullable: true })
  requestId!: string | null;

  /** How often it happened, for entries that stand for several. */
  @Column({ type: 'integer', default: 1 })
  occurrences!: number;

  @Column({ type: 'text', name: 'coalesced_by', collation: 'C', nullable: true })
  coalescedBy!: string | null;
}
