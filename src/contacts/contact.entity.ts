import { Column, CreateDateColumn, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

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
export class Contact {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'contacts_pkey',
  })
  id!: string;

  @Column({ type: 'text', name: 'tenant_id', collation: 'C' })
  tenantId!: string;

  @Column('text')
  environment!: Environment;

  @Column({ type: 'text', name: 'space_id', collation: 'C' })
  spaceId!: string;

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
