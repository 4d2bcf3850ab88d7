import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';

/** The stored response to a request with an `Idempotency-Key`. */
@Entity('idempotency_records')
export class IdempotencyRecord {
  /** The tenant, within which the key is unique. */
  @PrimaryColumn({
    type: 'text',
    collation: 'C',
    primaryKeyConstraintName: 'idempotency_records_pkey',
  })
  scope!: string;

  @PrimaryColumn({
    type: 'text',
    collation: 'C',
    primaryKeyConstraintName: 'idempotency_records_pkey',
  })
  key!: string;

  /** Identifies the request (SHA-256). */
  @Column('text')
  fingerprint!: string;

  @Column('integer')
  status!: number;

  /** Encrypted, because a response can hold a secret that is shown only once. */
  @Column('bytea')
  body!: Buffer;

  @Index('idempotency_records_body_keys')
  @Column({ type: 'text', name: 'body_key_id', collation: 'C' })
  bodyKeyId!: string;

  @Index('idempotency_records_by_age')
  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
