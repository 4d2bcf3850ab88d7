/** Rows that depend on a secret key: they hold a digest or a ciphertext under it. */
export interface KeyedRows {
  /** The type under which they are counted. */
  readonly counts: string;
  /** The table, with an alias if the condition needs one. */
  readonly table: string;
  /** The column with the id of the key. It needs an index unless the rows are expendable. */
  readonly column: string;
  /** The SQL condition for valid rows. */
  readonly condition: string;
  /** Not required at start: the rows expire within minutes. */
  readonly isExpendable?: true;
}
