import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';

/** The remembered answer to a request that carried an `Idempotency-Key`. */
@Entity('idempotency_records')
export class IdempotencyRecord {
  /** Within what the key is unique: the tenant. */
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

  /** Tells the request from any other (SHA-256). */
  @Column('text')
  fingerprint!: string;

  @Column('integer')
  status!: number;

  /** Encrypted: an answer can hold a secret that is shown only once. */
  @Column('bytea')
  body!: Buffer;

  @Index('idempotency_records_body_keys')
  @Column({ type: 'text', name: 'body_key_id', collation: 'C' })
  bodyKeyId!: string;

  @Index('idempotency_records_by_age')
  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
