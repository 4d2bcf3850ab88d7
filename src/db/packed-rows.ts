import pg from 'pg';

/**
 * How a column is told to clients. `time`: RFC 3339 in UTC, to the millisecond. `id` stays text, `integer` is a number.
 * `position`: a number for the server only. `masked`: a text with an ellipsis. `boolean`: `true` or `false`. `list`: `text[]`. `json`: `jsonb`; `object`:
 * the same, `{}` for NULL.
 */
type ColumnType =
  | 'position'
  | 'id'
  | 'text'
  | 'masked'
  | 'boolean'
  | 'integer'
  | 'time'
  | 'list'
  | 'json'
  | 'object';

/** A column of a table. */
export interface Column {
  /** The member of the rows that holds it. */
  readonly member: string;
  readonly name: string;
  readonly type: ColumnType;
  /** NULL in most rows. perf: the database tests neighbours of this kind together. */
  readonly isRare?: boolean;
}

const NUMBERS: ReadonlySet<ColumnType> = new Set(['position', 'id', 'integer', 'time']);

/** Whether its values are sent as bytes, rather than as texts. */
export function isNumber({ type }: Column): boolean {
  return NUMBERS.has(type);
}

/** A page of rows in two values, each `null` for no rows. */
export interface Packed {
  /** The texts, in the order of the columns. */
  readonly texts: string | null;
  /** The other values, 8 bytes each, in the order of the columns. */
  readonly numbers: Buffer | null;
}

/** Marks before a text and for NULL. Texts may contain them as well, so the reader of a page counts them. */
export const [VALUE_MARK, NULL_MARK] = ['\u001F', '\u001E'];

/**
 * Stands for the ellipsis of a masked text. perf: a page beyond ASCII takes the driver and the answer two to three times as
 * long (decision 21).
 */
export const ELLIPSIS_MARK = '\u001D';

/** NULL among the numbers. No time has this value, nor has an integer of 4 bytes. */
const NULL_NUMBER = String.raw`'\x8000000000000001'::bytea`;

/**
 * Lets the database send a page as one text and one `bytea`. For the driver a value of its own costs more than for the
 * database to join it to the others. A time as text costs the database four times as much as its bytes (perf: decision 21).
 *
 * @param from the rest of a SELECT after its columns, from FROM on, with its order and limit
 * @param more further aggregates of the page, and the columns that they need
 */
export function pack(
  columns: readonly Column[],
  from: string,
  more?: { readonly names: readonly string[]; readonly select: string },
): string {
  const names = new Set([...columns.map(({ name }) => name), ...(more?.names ?? [])]);
  const texts = packedTexts(columns.filter((column) => !isNumber(column)));
  const numbers = columns.filter(isNumber).map(packedNumber);
  return `SELECT string_agg(${texts.join(' || ')}, '') AS texts,
      string_agg(${numbers.join(' || ')}, '') AS numbers${more === undefined ? '' : `, ${more.select}`}
    FROM (SELECT ${[...names].join(', ')} ${from}) AS packed`;
}

function packedTexts(columns: readonly Column[]): readonly string[] {
  const parts: string[] = [];
  let rare: Column[] = [];
  for (const [index, column] of columns.entries()) {
    if (column.isRare !== true) {
      parts.push(packedText(column));
      continue;
    }
    rare.push(column);
    if (columns[index + 1]?.isRare === true) continue;
    const areNull = rare.map(({ name }) => `${name} IS NULL`).join(' AND ');
    const marks = String.raw`\x1e`.repeat(rare.length);
    parts.push(
      `CASE WHEN ${areNull} THEN E'${marks}' ELSE ${rare.map(packedText).join(' || ')} END`,
    );
    rare = [];
  }
  return parts;
}

/** Faster than `concat`: that calls the output function of each value. */
function packedText({ name, type }: Column): string {
  return `coalesce(E'\\x1f' || ${textOf(name, type)}, E'\\x1e')`;
}

function textOf(name: string, type: ColumnType): string {
  if (type === 'list') return `array_to_json(${name})::text`;
  return type === 'masked' ? `replace(${name}, '…', E'\\x1d')` : `${name}::text`;
}

/** Microseconds since 2000 for a time. */
function packedNumber({ name, type }: Column): string {
  if (type === 'id' || type === 'position') return `int8send(${name})`;
  const bytes = type === 'time' ? `timestamptz_send(${name})` : `int8send(${name}::bigint)`;
  return `coalesce(${bytes}, ${NULL_NUMBER})`;
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
