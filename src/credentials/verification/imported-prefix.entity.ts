import { CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** The prefix of imported keys. */
@Entity('imported_prefixes')
export class ImportedPrefix {
  @PrimaryColumn({
    type: 'text',
    collation: 'C',
    primaryKeyConstraintName: 'imported_prefixes_pkey',
  })
  prefix!: string;

  @CreateDateColumn({ name: 'declared_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  declaredAt!: Date;
}
