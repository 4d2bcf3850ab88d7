import { Column, Entity, JoinColumn, OneToOne, PrimaryColumn } from 'typeorm';

import { Credential } from './credential.entity.js';

/** The time and address of a credential's last use, at most a few seconds late. */
@Entity('credential_uses')
export class CredentialUse {
  @PrimaryColumn({
    type: 'text',
    name: 'credential_id',
    collation: 'C',
    primaryKeyConstraintName: 'credential_uses_pkey',
  })
  credentialId!: string;

  @OneToOne(() => Credential, { onDelete: 'CASCADE' })
  @JoinColumn({
    name: 'credential_id',
    foreignKeyConstraintName: 'credential_uses_credential_fkey',
  })
  credential?: unknown;

  @Column({ type: 'timestamptz', name: 'used_at' })
  usedAt!: Date;

  @Column({ type: 'text', nullable: true })
  address!: string | null;
}
