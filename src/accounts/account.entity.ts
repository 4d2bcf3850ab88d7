import { Check, Column, CreateDateColumn, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/** A user: one per email address, with a membership in each of their tenants. */
@Entity('accounts')
@Unique('accounts_email_key', ['email'])
@Check('accounts_email_lower', 'email = lower(email)')
@Index('accounts_external_id_key', ['externalId'], {
  unique: true,
  where: 'external_id IS NOT NULL',
})
@Index('accounts_by_metadata', { synchronize: false })
@Index('accounts_imported_passwords', { synchronize: false })
export class Account {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'accounts_pkey' })
  id!: string;

  /** In lower case. */
  @Column('text')
  email!: string;

  @Column({ type: 'text', nullable: true })
  name!: string | null;

  /** When the owner proved to receive mail at the address; `null` if unverified. */
  @Column({ type: 'timestamptz', name: 'email_verified_at', nullable: true })
  emailVerifiedAt!: Date | null;

  /** argon2id, in its PHC string format; a hash of another system until the next sign-in. */
  @Column({ type: 'text', name: 'password_hash' })
  passwordHash!: string;

  /** Not selected by default, so that accounts can be found on a schema without the column. */
  @Column({ type: 'text', name: 'external_id', collation: 'C', nullable: true, select: false })
  externalId!: string | null;

  @Column({ type: 'jsonb', nullable: true, select: false })
  metadata!: object | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
