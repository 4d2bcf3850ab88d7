import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The latest attempts of one kind by one source, for strict limits. */
@Entity('attempts')
@Index('attempts_by_end', ['expiresAt'])
export class Attempt {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'attempts_pkey' })
  bucket!: string;

  /** Oldest first. */
  @Column('timestamptz', { array: true })
  times!: Date[];

  @Column({ type: 'timestamptz', name: 'expires_at' })
  expiresAt!: Date;
}
