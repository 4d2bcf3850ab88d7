import {
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
} from 'typeorm';

/** An authorization of one installation of a client by a user in a tenant: a token family. */
@Entity('grants')
@Index('grants_listed', ['accountId', 'issueSeq'])
@Index('grants_of_member', ['accountId', 'tenantId', 'issueSeq'])
@Index('grants_of_tenant', ['tenantId', 'issueSeq'])
@Index('grants_of_client_in_tenant', ['clientId', 'tenantId', 'issueSeq'])
@Index('grants_of_tenant_by_client', ['tenantId', 'clientId', 'issueSeq'])
@Index('grants_by_end', ['keepUntil'])
export class Grant {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'grants_pkey' })
  id!: string;

  @Column({ type: 'text', name: 'tenant_id', collation: 'C' })
  tenantId!: string;

  @ManyToOne('Tenant')
  @JoinColumn({ name: 'tenant_id', foreignKeyConstraintName: 'grants_tenant_fkey' })
  tenant?: unknown;

  @Column({ type: 'text', name: 'account_id', collation: 'C' })
  accountId!: string;

  @ManyToOne('Account')
  @JoinColumn({ name: 'account_id', foreignKeyConstraintName: 'grants_account_fkey' })
  account?: unknown;

  @Column({ type: 'text', name: 'client_id', collation: 'C' })
  clientId!: string;

  @ManyToOne('Client', { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'client_id', foreignKeyConstraintName: 'grants_client_fkey' })
  client?: unknown;

  /** The granted scopes, in the catalogue's order. */
  @Column('text', { array: true })
  scopes!: string[];

  /** The resources (RFC 8707) that tokens can be for. */
  @Column('text', { array: true })
  resources!: string[];

  /** The redirect URI of the authorization. */
  @Column({ type: 'text', name: 'redirect_uri' })
  redirectUri!: string;

  /** The subjects whose revocation ends it: itself, its client, membership, account and tenant. */
  @Column({ type: 'text', array: true, collation: 'C' })
  subjects!: string[];

  /** Its place in the order of issues and revocations. */
  @Column({ type: 'bigint', name: 'issue_seq' })
  issueSeq!: string;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;

  /** The latest expiry of its tokens. Cleanup deletes the grant after it. */
  @Column({ type: 'timestamptz', name: 'keep_until' })
  keepUntil!: Date;
}
