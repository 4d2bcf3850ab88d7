import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  Unique,
} from 'typeorm';

import type { Scope } from '../../scopes/catalog.js';
import type { Environment, KeyKind, PrincipalKind } from '../kinds.js';
import type { Binding } from '../principal.js';

/** A credential that does not belong to a grant: a key or personal token. */
@Entity('credentials')
@Unique('credentials_digest_key', ['digest'])
@Index('credentials_listed', ['tenantId', 'environment', 'kind', 'issueSeq'])
@Index('credentials_in_order', ['tenantId', 'issueSeq'], { where: `principal_kind <> 'user'` })
@Index('credentials_external_id_key', { synchronize: false })
@Index('credentials_by_metadata', { synchronize: false })
@Index('credentials_by_external_id', ['tenantId', 'externalId'], {
  where: 'external_id IS NOT NULL',
})
@Index('credentials_of_account', ['principalId', 'issueSeq'], { where: `principal_kind = 'user'` })
@Check('credentials_environment', `environment IN ('live', 'test')`)
@Check(
  'credentials_kind',
  `kind IN ('secret', 'publishable', 'personal', 'service', 'agent', 'organization')`,
)
@Check(
  'credentials_principal_kind',
  `principal_kind IN ('tenant', 'user', 'service', 'agent', 'publishable')`,
)
export class Credential {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'credentials_pkey' })
  id!: string;

  @Column({ type: 'text', name: 'tenant_id', collation: 'C' })
  tenantId!: string;

  @ManyToOne('Tenant')
  @JoinColumn({ name: 'tenant_id', foreignKeyConstraintName: 'credentials_tenant_fkey' })
  tenant?: unknown;

  @Column('text')
  kind!: KeyKind;

  @Column('text')
  environment!: Environment;

  @Column('text')
  name!: string;

  @Column({ type: 'text', array: true })
  scopes!: Scope[];

  /** The spaces it may enter; `null` for all. */
  @Column({ type: 'text', array: true, nullable: true })
  spaces!: string[] | null;

  @Column({ type: 'text', name: 'principal_kind' })
  principalKind!: PrincipalKind;

  @Column({ type: 'text', name: 'principal_id', collation: 'C' })
  principalId!: string;

  /** The resources that an agent is bound to; `null` if it is unbound. */
  @Column({ type: 'jsonb', nullable: true })
  bindings!: readonly Binding[] | null;

  /** The credential that it was exchanged from and is revoked with. */
  @Column({ type: 'text', name: 'parent_id', collation: 'C', nullable: true })
  parentId!: string | null;

  /** The credential that it replaced by rotation. Revoking that one does not revoke it. */
  @Index('credentials_replaced', { where: 'replaces IS NOT NULL' })
  @Column({ type: 'text', collation: 'C', nullable: true })
  replaces!: string | null;

  @Column({ type: 'text', name: 'allowed_ips', array: true, nullable: true })
  allowedIps!: string[] | null;

  @Column({ type: 'timestamptz', name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  @Column({ type: 'integer', name: 'rate_limit_per_minute', nullable: true })
  rateLimitPerMinute!: number | null;

  @Column({ type: 'text', collation: 'C' })
  digest!: string;

  @Index('credentials_digest_keys')
  @Column({ type: 'text', name: 'digest_key_id', collation: 'C' })
  digestKeyId!: string;

  /** The prefix of an imported key. The digest of an imported key is made of its SHA-256. */
  @Column({ type: 'text', name: 'imported_prefix', nullable: true })
  importedPrefix!: string | null;

  /**
   * The pattern of an imported key without a common prefix, such as `hex32`. It is not selected by default, so that
   * keys can be found and revoked on a schema without the column.
   */
  @Column({ type: 'text', name: 'imported_pattern', nullable: true, select: false })
  importedPattern!: string | null;

  /**
   * Unique among the tenant's keys, and among an account's tokens in the tenant, unless it was released. Not selected by
   * default, as `importedPattern`.
   */
  @Column({ type: 'text', name: 'external_id', collation: 'C', nullable: true, select: false })
  externalId!: string | null;

  /** Whether another key may take its external id. */
  @Column({ type: 'boolean', name: 'external_id_released', default: false, select: false })
  isExternalIdReleased!: boolean;

  @Column({ type: 'jsonb', nullable: true, select: false })
  metadata!: object | null;

  /** The encrypted secret, for kinds that stay readable. */
  @Column({ type: 'bytea', nullable: true })
  ciphertext!: Buffer | null;

  @Index('credentials_ciphertext_keys', { where: 'ciphertext_key_id IS NOT NULL' })
  @Column({ type: 'text', name: 'ciphertext_key_id', collation: 'C', nullable: true })
  ciphertextKeyId!: string | null;

  @Column({ type: 'text', name: 'masked_key' })
  maskedKey!: string;

  /** The subjects whose revocation ends it: itself, its parent, …, its tenant, and the key that it is bound to. */
  @Column({ type: 'text', array: true, collation: 'C' })
  subjects!: string[];

  /** Its position in the order of issues and revocations. */
  @Column({ type: 'bigint', name: 'issue_seq' })
  issueSeq!: string;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;

  /** Its creator: the id of a credential or account, or `operator`. */
  @Column({ type: 'text', name: 'created_by' })
  createdBy!: string;
}
