import {
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  Unique,
} from 'typeorm';

/** A browser session. The secret in its cookie is stored as a digest only. */
@Entity('sessions')
@Unique('sessions_digest_key', ['digest'])
@Index('sessions_of_account', ['accountId', 'createdAt'])
@Index('sessions_by_end', ['expiresAt'])
@Index('sessions_digest_keys', ['digestKeyId'])
export class Session {
  /** The public id of the session. It is not a secret. */
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'sessions_pkey' })
  id!: string;

  @Column({ type: 'text', collation: 'C' })
  digest!: string;

  @Column({ type: 'text', name: 'digest_key_id', collation: 'C' })
  digestKeyId!: string;

  @Column({ type: 'text', name: 'account_id', collation: 'C', nullable: true })
  accountId!: string | null;

  @ManyToOne('Account')
  @JoinColumn({ name: 'account_id', foreignKeyConstraintName: 'sessions_account_fkey' })
  account?: unknown;

  /** Data of the protocol library. */
  @Column('jsonb')
  payload!: object;

  /** The subjects whose revocation ends it. */
  @Column({ type: 'text', array: true, collation: 'C' })
  subjects!: string[];

  @Column({ type: 'bigint', name: 'issue_seq' })
  issueSeq!: string;

  @Column({ type: 'text', nullable: true })
  address!: string | null;

  @Column({ type: 'text', name: 'user_agent', nullable: true })
  userAgent!: string | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'seen_at', default: () => 'gatehouse_now()' })
  seenAt!: Date;

  @Column({ type: 'timestamptz', name: 'expires_at' })
  expiresAt!: Date;
}
