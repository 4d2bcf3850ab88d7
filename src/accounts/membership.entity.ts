import {
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
} from 'typeorm';

import type { Role } from '../scopes/roles.js';
import { Account } from './account.entity.js';

/** An account's place in a tenant. */
@Entity('memberships')
@Index('memberships_of_tenant', ['tenantId'])
export class Membership {
  @PrimaryColumn({
    type: 'text',
    name: 'account_id',
    collation: 'C',
    primaryKeyConstraintName: 'memberships_pkey',
  })
  accountId!: string;

  @ManyToOne(() => Account)
  @JoinColumn({ name: 'account_id', foreignKeyConstraintName: 'memberships_account_fkey' })
  account?: Account;

  @PrimaryColumn({
    type: 'text',
    name: 'tenant_id',
    collation: 'C',
    primaryKeyConstraintName: 'memberships_pkey',
  })
  tenantId!: string;

  @Column('text')
  role!: Role;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
