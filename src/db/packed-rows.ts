import pg from 'pg';

/** How a column is told to clients. `time`: RFC 3339 in UTC, to the millisecond. `id` stays text, `integer` is a number. */
type ColumnType = 'id' | 'text' | 'integer' | 'time';

/** A column of a table. */
export interface Column {
  /** The member of the rows that holds it. */
  readonly member: string;
  readonly name: string;
  readonly type: ColumnType;
}

/** A page of rows in one text. */
export interface Packed {
  readonly rows: number;
  readonly page: string | null;
}

/** Marks before a value and for NULL. Texts may contain them as well, so the reader of a page counts them. */
export const [VALUE_MARK, NULL_MARK] = ['\u001F', '\u001E'];

/**
 * Lets the database send a page as one text. For the driver a value of its own costs more than for the database to join
 * it to the others (perf: decision 15).
 *
 * @param from the rest of a SELECT after its columns, from FROM on, with its order and limit
 */
export function pack(columns: readonly Column[], from: string): string {
  const names = columns.map(({ name }) => name).join(', ');
  // Faster than `concat`: that calls the output function of each value.
  const values = columns.map(({ name, type }) =>
    isNullable(type) ? `coalesce(E'\\x1f' || ${name}, E'\\x1e')` : `E'\\x1f' || ${name}`,
  );
  return `SELECT count(*)::int AS rows, string_agg(${values.join(' || ')}, '') AS page
    FROM (SELECT ${names} ${from}) AS packed`;
}

function isNullable(type: ColumnType): boolean {
  return type === 'text' || type === 'integer';
}

/** The columns as they stand after SELECT or RETURNING, for rows that are read one by one. */
export function selection(columns: readonly Column[]): string {
  return columns.map(({ name, member }) => `${name}::text AS "${member}"`).join(', ');
}

/** Reads a row of a `selection`. */
export function readRow<Row>(
  columns: readonly Column[],
  values: Readonly<Record<string, string | null>>,
): Row {
  const row: Record<string, unknown> = {};
  for (const { member, type } of columns) {
    row[member] = read(values[member] ?? null, type);
  }
  return row as Row;
}

function read(value: string | null, type: ColumnType): string | number | null {
  if (value === null) return null;
  if (type === 'time') return timeOf(value);
  return type === 'integer' ? Number(value) : value;
}

/** Format of a session in UTC, between the years 1 and 9999. */
const USUAL = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00$/;

const parseTime: (text: string) => unknown = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ);

/** A time as JSON has it, of a time as PostgreSQL writes it. A `Date` in between would be dearer than all else. */
export function timeOf(text: string): string {
  if (!USUAL.test(text)) {
    const time = parseTime(text);
    return time instanceof Date ? time.toISOString() : text;
  }
  const milliseconds = text.slice(20, -3).slice(0, 3).padEnd(3, '0');
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${milliseconds}Z`;
}
