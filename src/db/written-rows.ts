import {
  isNumber,
  NULL_MARK,
  timeOf,
  VALUE_MARK,
  type Column,
  type Packed,
} from './packed-rows.js';
import {
  idAt,
  MAX_NUMBER_BYTES,
  NUMBER_BYTES,
  skipNumber,
  writeInteger,
  writeTime,
} from './written-numbers.js';
import { writeJson, writeVerbatim, writeMasked, writeText } from './written-texts.js';

/** A row as clients see it. */
export interface WrittenRow {
  /** The id or position. */
  readonly id: number;
  /** An object of the members of the row's columns, in their order. An id is a number. */
  readonly json: string;
}

/** Writes rows of a table as JSON. */
export interface RowWriter {
  /**
   * Writes the rows of a page.
   * @returns `undefined` if a text of the page holds one of the two control characters: read the rows one by one then
   */
  writePage(packed: Packed): WrittenRow[] | undefined;
  /** Writes a row of a `selection`. */
  writeRow(row: Readonly<Record<string, string | null>>): WrittenRow;
}

/** The most bytes of JSON for a UTF-16 unit of a text: those of an escape, such as `\u0000`. */
const MAX_UNIT_BYTES = 6;
/** The most bytes of JSON that a text has beside its units, or for NULL. */
const MAX_ADDED_BYTES = 4;

/** perf: shared by all pages, since a page is written without a pause. Larger ones get a buffer of their own. */
const SHARED = Buffer.allocUnsafeSlow(128 * 1024);

const codeOf = (character: string) => character.charCodeAt(0);
const [VALUE, NULL] = [codeOf(VALUE_MARK), codeOf(NULL_MARK)];
const CLOSING = codeOf('}');

/** A page that is being read, and the JSON of its rows. */
interface Writing {
  readonly texts: string;
  /** The next character of the texts. */
  at: number;
  readonly numbers: Buffer;
  /** The next byte of the numbers. */
  numberAt: number;
  readonly out: Buffer;
  /** The next byte of the JSON. */
  end: number;
  /** By how much the bytes of the JSON are more than its UTF-16 units: 0 for ASCII. */
  added: number;
}

/**
 * Makes the writer of a table's rows.
 *
 * perf: bytes are copied from the page to the JSON. Objects of the rows and `JSON.stringify` took three times as long,
 * and 60 KB of memory for a page of 25 contacts (decision 15).
 *
 * @param columns the first one is the id or the position
 */
export function createRowWriter(columns: readonly Column[]): RowWriter {
  const members = columns.map((column, index) => ({
    column,
    prefix: prefixOf(column, columns[index - 1]),
    write: WRITERS[column.type],
  }));
  const perRow = members.reduce(
    (sum, { prefix, column }) =>
      sum + prefix.length + (isNumber(column) ? MAX_NUMBER_BYTES : MAX_ADDED_BYTES),
    1,
  );
  const bytesPerRow = columns.filter(isNumber).length * NUMBER_BYTES;
  return {
    writePage({ texts, numbers }) {
      if (texts === null || numbers === null) return [];
      const size = texts.length * MAX_UNIT_BYTES + (numbers.length / bytesPerRow) * perRow;
      const out = size <= SHARED.length ? SHARED : Buffer.allocUnsafe(size);
      const writing: Writing = { texts, at: 0, numbers, numberAt: 0, out, end: 0, added: 0 };
      const ids: number[] = [];
      const ends: number[] = [];
      while (writing.numberAt < numbers.length) {
        ids.push(idAt(writing));
        for (const { prefix, write } of members) {
          copyBytes(writing, prefix);
          if (!write(writing)) return undefined;
        }
        out[writing.end++] = CLOSING;
        ends.push(writing.end - writing.added);
      }
      // Each text and each NULL has one mark. Any mark within a text makes more of them.
      if (writing.at < texts.length) return undefined;
      // perf: parts of one text are cut without a copy.
      const json = out.toString(writing.added === 0 ? 'latin1' : 'utf8', 0, writing.end);
      return ids.map((id, row) => ({ id, json: json.slice(ends[row - 1] ?? 0, ends[row]) }));
    },
    writeRow(row) {
      const values = columns
        .filter(({ type }) => type !== 'position')
        .map(({ member, type }) => [member, jsonValue(row[member] ?? null, type)]);
      return {
        id: Number(row[columns[0]?.member ?? '']),
        json: JSON.stringify(Object.fromEntries(values)),
      };
    },
  };
}

/** The text before a value. */
function prefixOf({ member, type }: Column, before: Column | undefined): Buffer {
  if (type === 'position') return Buffer.alloc(0);
  const isFirst = before === undefined || before.type === 'position';
  return Buffer.from(`${isFirst ? '{' : ','}${JSON.stringify(member)}:`);
}

function jsonValue(value: string | null, type: Column['type']): unknown {
  if (value === null) return type === 'object' ? {} : null;
  if (type === 'text' || type === 'masked') return value;
  if (type === 'time') return timeOf(value);
  return type === 'id' || type === 'integer' ? Number(value) : JSON.parse(value);
}

/** Each reads a value. @returns false where the page has none */
type WriteValue = (writing: Writing) => boolean;

const WRITERS: Readonly<Record<Column['type'], WriteValue>> = {
  position: skipNumber,
  id: writeInteger,
  integer: writeInteger,
  time: writeTime,
  text: marked(writeText),
  masked: marked(writeMasked),
  boolean: marked(writeVerbatim),
  list: marked(writeVerbatim),
  json: marked(writeJson),
  object: marked(writeJson, '{}'),
};

/** A writer of values that a mark precedes. */
function marked(write: (writing: Writing) => void, forNull = 'null'): WriteValue {
  const nullText = Buffer.from(forNull);
  return (writing) => {
    const mark = writing.texts.charCodeAt(writing.at);
    writing.at += 1;
    if (mark === NULL) copyBytes(writing, nullText);
    else if (mark === VALUE) write(writing);
    else return false;
    return true;
  };
}

function copyBytes(writing: Writing, bytes: Uint8Array): void {
  const { out } = writing;
  let { end } = writing;
  // perf: an iterator takes a fifth of the whole page longer.
  for (let index = 0; index < bytes.length; index += 1) out[end++] = bytes[index] ?? 0;
  writing.end = end;
}
