import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';

/** The revocation of a subject. It is never undone. */
@Entity('revocations')
@Index('revocations_forgettable', ['revokedAt'], {
  where: `starts_with(subject, 'grt_') OR starts_with(subject, 'tok_')`,
})
export class Revocation {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'revocations_pkey' })
  subject!: string;

  /** Its position in the order of issues and revocations. */
  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'revocations_pkey' })
  seq!: string;

  @Column({ type: 'text', nullable: true })
  reason!: string | null;

  @Column({ type: 'text', name: 'revoked_by' })
  revokedBy!: string;

  @CreateDateColumn({ name: 'revoked_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  revokedAt!: Date;
}
