import {
  Column,
  CreateDateColumn,
  Entity,
  Generated,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
} from 'typeorm';

import { Client } from './client.entity.js';

/** A tenant's block of a client: its members cannot authorize the client there. */
@Entity('client_blocks')
@Index('client_blocks_of_tenant', ['tenantId', 'seq'])
export class ClientBlock {
  @PrimaryColumn({
    type: 'text',
    name: 'client_id',
    collation: 'C',
    primaryKeyConstraintName: 'client_blocks_pkey',
  })
  clientId!: string;

  @ManyToOne(() => Client, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'client_id', foreignKeyConstraintName: 'client_blocks_client_fkey' })
  client?: Client;

  @PrimaryColumn({
    type: 'text',
    name: 'tenant_id',
    collation: 'C',
    primaryKeyConstraintName: 'client_blocks_pkey',
  })
  tenantId!: string;

  @ManyToOne('Tenant')
  @JoinColumn({ name: 'tenant_id', foreignKeyConstraintName: 'client_blocks_tenant_fkey' })
  tenant?: unknown;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;

  /** The order of blocking, by which blocks are listed. */
  @Column('bigint')
  @Generated('increment')
  seq!: string;
}
