import type { Connection, Submittable } from 'pg';

/** A prepared statement whose rows are texts, the first of which is the key to find the row by. */
export interface StatementText {
  readonly name: string;
  readonly text: string;
  readonly values: string[];
}

/** The driver records the statements that a connection has parsed. Its types do not say so. */
type Parsed = Connection & { readonly parsedStatements: Readonly<Record<string, string>> };

/**
 * The execution of a prepared statement, as the driver lets other packages define one (`pg-cursor`).
 * perf: the columns are known and are all text. The driver's own class asks for their description each time, and makes a
 * result with parsers of types (decision 22).
 */
export class LookupStatement<Row extends readonly (string | null)[]> implements Submittable {
  readonly name: string;
  readonly text: string;
  readonly values: string[];
  /** Set by the driver. */
  callback: ((error: unknown, rows?: ReadonlyMap<string, Row>) => void) | undefined;
  readonly #rows = new Map<string, Row>();

  constructor({ name, text, values }: StatementText) {
    this.name = name;
    this.text = text;
    this.values = values;
  }

  submit(connection: Connection): void {
    const { name, text, values } = this;
    const { stream } = connection;
    stream.cork();
    try {
      if ((connection as Parsed).parsedStatements[name] === undefined) {
        connection.parse({ name, text, types: [] }, true);
      }
      connection.bind({ statement: name, values }, true);
      connection.execute({}, true);
      connection.sync();
    } finally {
      stream.uncork();
    }
  }

  handleDataRow({ fields }: { readonly fields: Row }): void {
    this.#rows.set(fields[0] ?? '', fields);
  }

  handleError(error: unknown): void {
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    this.callback?.(undefined, this.#rows);
  }

  handleRowDescription(): void {}

  handleCommandComplete(): void {}

  handleEmptyQuery(): void {}
}
