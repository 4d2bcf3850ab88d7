import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** What one replica counted on one bucket in one slot of its window. */
@Entity('rate_windows')
@Index('rate_windows_by_change', ['windowSeconds', 'changedAt'])
export class RateWindow {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'rate_windows_pkey' })
  bucket!: string;

  /** When it stops counting, which tells which slot it is. */
  @PrimaryColumn({
    type: 'timestamptz',
    name: 'ends_at',
    primaryKeyConstraintName: 'rate_windows_pkey',
  })
  endsAt!: Date;

  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'rate_windows_pkey' })
  replica!: string;

  @Column({ type: 'integer', name: 'window_seconds' })
  windowSeconds!: number;

  @Column('bigint')
  units!: string;

  @Column({ type: 'timestamptz', name: 'changed_at' })
  changedAt!: Date;
}
