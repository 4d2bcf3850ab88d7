import { Column, Entity, JoinColumn, OneToOne, PrimaryColumn } from 'typeorm';

import { Grant } from './grant.entity.js';

/** The time and address of the last use of a grant's access tokens, at most a few seconds late. */
@Entity('grant_uses')
export class GrantUse {
  @PrimaryColumn({
    type: 'text',
    name: 'grant_id',
    collation: 'C',
    primaryKeyConstraintName: 'grant_uses_pkey',
  })
  grantId!: string;

  @OneToOne(() => Grant, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'grant_id', foreignKeyConstraintName: 'grant_uses_grant_fkey' })
  grant?: unknown;

  @Column({ type: 'timestamptz', name: 'used_at' })
  usedAt!: Date;

  @Column({ type: 'text', nullable: true })
  address!: string | null;
}
