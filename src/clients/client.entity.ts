import { Column, CreateDateColumn, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

import type { ClientMetadata } from './registration/client-metadata.js';

/**
 * A registered client (RFC 7591), or the copy of a Client ID Metadata Document, whose id is its URL. Installations of a
 * public client share a row, because its id derives from the metadata.
 */
@Entity('clients')
@Unique('clients_secret_digest_key', ['secretDigest'])
@Unique('clients_registration_digest_key', ['registrationDigest'])
@Index('clients_by_age', ['createdAt', 'id'])
@Index('clients_unused', ['unusedSince'], { where: 'unused_since IS NOT NULL' })
@Index('clients_unused_documents', ['unusedSince'], {
  where: 'document_fresh_until IS NOT NULL AND unused_since IS NOT NULL',
})
@Index('clients_secret_digest_keys', ['secretDigestKeyId'], {
  where: 'secret_digest_key_id IS NOT NULL',
})
@Index('clients_registration_digest_keys', ['registrationDigestKeyId'], {
  where: 'registration_digest_key_id IS NOT NULL',
})
export class Client {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'clients_pkey' })
  id!: string;

  @Column('text')
  name!: string;

  /** The registered metadata, without the client's id and secrets. */
  @Column('jsonb')
  metadata!: ClientMetadata;

  @Column({ type: 'text', name: 'secret_digest', collation: 'C', nullable: true })
  secretDigest!: string | null;

  @Column({ type: 'text', name: 'secret_digest_key_id', collation: 'C', nullable: true })
  secretDigestKeyId!: string | null;

  /** Digest of the registration access token. Those of public clients are derived and not stored. */
  @Column({ type: 'text', name: 'registration_digest', collation: 'C', nullable: true })
  registrationDigest!: string | null;

  @Column({ type: 'text', name: 'registration_digest_key_id', collation: 'C', nullable: true })
  registrationDigestKeyId!: string | null;

  /** Whether the operator verified who runs it. The consent page warns otherwise. */
  @Column({ type: 'boolean', name: 'is_verified', default: false })
  isVerified!: boolean;

  /** Whether the operator requires it to push its authorization requests (RFC 9126). */
  @Column({ type: 'boolean', name: 'requires_pushed_requests', default: false })
  requiresPushedRequests!: boolean;

  /** Blocked for all tenants, by the operator. */
  @Column({ type: 'timestamptz', name: 'blocked_at', nullable: true })
  blockedAt!: Date | null;

  /**
   * When it last registered, while unused. Null after its first grant, and after a decision of the operator or of a tenant
   * about it.
   */
  @Column({
    type: 'timestamptz',
    name: 'unused_since',
    nullable: true,
    default: () => 'gatehouse_now()',
  })
  unusedSince!: Date | null;

  /** Until when the copy of a metadata document need not be fetched again. Null for a client that has registered. */
  @Column({ type: 'timestamptz', name: 'document_fresh_until', nullable: true })
  documentFreshUntil!: Date | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
