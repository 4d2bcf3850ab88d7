import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';

const KEY = { primaryKeyConstraintName: 'consents_pkey', type: 'text', collation: 'C' } as const;

/** The scopes that a user granted, by account, tenant and client. Independent of the grants created from it. */
@Entity('consents')
@Index('consents_of_client', ['clientId'])
@Index('consents_of_tenant', ['tenantId'])
export class Consent {
  @PrimaryColumn({ ...KEY, name: 'account_id' })
  accountId!: string;

  @ManyToOne('Account')
  @JoinColumn({ name: 'account_id', foreignKeyConstraintName: 'consents_account_fkey' })
  account?: unknown;

  @PrimaryColumn({ ...KEY, name: 'tenant_id' })
  tenantId!: string;

  @ManyToOne('Tenant')
  @JoinColumn({ name: 'tenant_id', foreignKeyConstraintName: 'consents_tenant_fkey' })
  tenant?: unknown;

  @PrimaryColumn({ ...KEY, name: 'client_id' })
  clientId!: string;

  @ManyToOne('Client', { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'client_id', foreignKeyConstraintName: 'consents_client_fkey' })
  client?: unknown;

  /** The scopes that the page showed. A request for more asks the user again. */
  @Column('text', { array: true })
  offered!: string[];

  /** The ticked scopes. */
  @Column('text', { array: true })
  granted!: string[];

  /** The scopes granted for each resource server, by its id. */
  @Column('jsonb', { name: 'granted_to_servers', default: {} })
  grantedToServers!: Readonly<Record<string, readonly string[]>>;

  @Column({ type: 'timestamptz', name: 'decided_at', default: () => 'gatehouse_now()' })
  decidedAt!: Date;
}
