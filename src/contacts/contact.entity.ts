import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryGeneratedColumn,
} from 'typeorm';

import type { Environment } from '../credentials/kinds.js';

export const CONTACT_TYPES = [
  'customer',
  'general_contractor',
  'architect',
  'city',
  'hoa',
  'vendor',
  'subcontractor',
  'supplier',
  'employee',
  'partner',
  'other',
] as const;

/** Somebody that a tenant deals with. */
@Entity('contacts')
@Index('contacts_of_space', ['tenantId', 'environment', 'spaceId', 'id'], {
  where: 'deleted_at IS NULL',
})
@Check('contacts_environment', `environment IN ('live', 'test')`)
@Check('contacts_type', `type IN (${CONTACT_TYPES.map((type) => `'${type}'`).join(', ')})`)
export class Contact {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'contacts_pkey',
  })
  id!: string;

  @Column({ type: 'text', name: 'tenant_id', collation: 'C' })
  tenantId!: string;

  @ManyToOne('Tenant')
  @JoinColumn({ name: 'tenant_id', foreignKeyConstraintName: 'contacts_tenant_fkey' })
  tenant?: unknown;

  @Column('text')
  environment!: Environment;

  @Column({ type: 'text', name: 'space_id', collation: 'C' })
  spaceId!: string;

  @ManyToOne('Space')
  @JoinColumn({ name: 'space_id', foreignKeyConstraintName: 'contacts_space_fkey' })
  space?: unknown;

  @Column({ type: 'text', name: 'first_name', nullable: true })
  firstName!: string | null;

  @Column({ type: 'text', name: 'last_name', nullable: true })
  lastName!: string | null;

  @Column({ type: 'text', name: 'company_name', nullable: true })
  companyName!: string | null;

  @Column({ type: 'text', nullable: true })
  email!: string | null;

  @Column({ type: 'text', nullable: true })
  phone!: string | null;

  @Column('text')
  type!: (typeof CONTACT_TYPES)[number];

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;

  @Column({ name: 'updated_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  updatedAt!: Date;

  /** Deleting is soft: the row stays, and nobody sees it. */
  @Column({ name: 'deleted_at', type: 'timestamptz', nullable: true })
  deletedAt!: Date | null;
}
