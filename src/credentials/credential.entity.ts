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

import type { Scope } from '../scopes/catalog.js';
import type { Environment, KeyKind, PrincipalKind } from './kinds.js';
import type { Binding } from './principal.js';

/** A credential that does not live by a grant: every kind of key and personal token. */
@Entity('credentials')
@Unique('credentials_digest_key', ['digest'])
@Index('credentials_listed', ['tenantId', 'environment', 'kind', 'issueSeq'])
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

  /** What an agent is tied to; `null` for anything. */
  @Column({ type: 'jsonb', nullable: true })
  bindings!: readonly Binding[] | null;

  /** The credential that it was exchanged from, and dies with. */
  @Column({ type: 'text', name: 'parent_id', collation: 'C', nullable: true })
  parentId!: string | null;

  /** The credential that it took over from; that one's end is not its own. */
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

  /** What it starts with, if it was issued elsewhere; its digest is then one of its SHA-256. */
  @Column({ type: 'text', name: 'imported_prefix', nullable: true })
  importedPrefix!: string | null;

  /**
   * The form of a key that was issued elsewhere without a common prefix: `hex32` and the like. It is not read
   * along: a key must be found and ended on a schema that lacks the column.
   */
  @Column({ type: 'text', name: 'imported_pattern', nullable: true, select: false })
  importedPattern!: string | null;

  /** The credential itself, encrypted, for the kinds that stay readable. */
  @Column({ type: 'bytea', nullable: true })
  ciphertext!: Buffer | null;

  @Index('credentials_ciphertext_keys', { where: 'ciphertext_key_id IS NOT NULL' })
  @Column({ type: 'text', name: 'ciphertext_key_id', collation: 'C', nullable: true })
  ciphertextKeyId!: string | null;

  @Column({ type: 'text', name: 'masked_key' })
  maskedKey!: string;

  /** Everything whose revocation ends it: itself, its parent, …, its tenant. */
  @Column({ type: 'text', array: true, collation: 'C' })
  subjects!: string[];

  /** Its place in the order of issues and revocations. */
  @Column({ type: 'bigint', name: 'issue_seq' })
  issueSeq!: string;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;

  /** Who made it: a credential's or account's id, or `operator`. */
  @Column({ type: 'text', name: 'created_by' })
  createdBy!: string;
}
