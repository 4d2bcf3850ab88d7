import { CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** The pattern of imported keys without a common prefix. */
@Entity('imported_patterns')
export class ImportedPattern {
  @PrimaryColumn({
    type: 'text',
    collation: 'C',
    primaryKeyConstraintName: 'imported_patterns_pkey',
  })
  pattern!: string;

  @CreateDateColumn({ name: 'declared_at', type: 'timestamptz', default: () => 'gatehouse_now()' })
  declaredAt!: Date;
}
