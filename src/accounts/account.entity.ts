import { Check, Column, CreateDateColumn, Entity, PrimaryColumn, Unique } from 'typeorm';

/** A person who signs in. One per email address, in as many tenants as there are memberships. */
@Entity('accounts')
@Unique('accounts_email_key', ['email'])
@Check('accounts_email_lower', 'email = lower(email)')
export class Account {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'accounts_pkey' })
  id!: string;

  /** In lower case. */
  @Column('text')
  email!: string;

  @Column({ type: 'text', nullable: true })
  name!: string | null;

  /** When its owner proved to receive what is sent to the address; `null` if nobody has. */
  @Column({ type: 'timestamptz', name: 'email_verified_at', nullable: true })
  emailVerifiedAt!: Date | null;

  /** argon2id, in its PHC string format. */
  @Column({ type: 'text', name: 'password_hash' })
  passwordHash!: string;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  createdAt!: Date;
}
