import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';

/** A key that signs id_tokens. Its private half is stored encrypted. */
@Entity('signing_keys')
@Index('signing_keys_ciphertext_keys', ['ciphertextKeyId'])
export class SigningKey {
  /** The `kid`. */
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'signing_keys_pkey' })
  id!: string;

  @Column('text')
  algorithm!: string;

  @Column({ type: 'jsonb', name: 'public_jwk' })
  publicJwk!: object;

  @Column('bytea')
  ciphertext!: Buffer;

  @Column({ type: 'text', name: 'ciphertext_key_id', collation: 'C' })
  ciphertextKeyId!: string;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;

  /** The time from which it signs, until a later key does. It is published before. */
  @Column({ type: 'timestamptz', name: 'signs_from' })
  signsFrom!: Date;

  /** The time at which it is unpublished; `null` while it signs or will sign. */
  @Column({ type: 'timestamptz', name: 'ends_at', nullable: true })
  endsAt!: Date | null;
}
