import {
  Check,
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

/** An account's membership in a tenant. */
@Entity('memberships')
@Index('memberships_listed', ['tenantId', 'accountId'])
@Index('memberships_administrators', ['tenantId', 'role', 'createdAt', 'accountId'])
@Check('memberships_role_form', `role ~ '^[a-z][a-z0-9_]{0,39}$'`)
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

  @ManyToOne('Tenant')
  @JoinColumn({ name: 'tenant_id', foreignKeyConstraintName: 'memberships_tenant_fkey' })
  tenant?: object;

  @Column('text')
  role!: Role;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
