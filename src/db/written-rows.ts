import { NULL_MARK, timeOf, VALUE_MARK, type Column, type Packed } from './packed-rows.js';
import {
  idAt,
  MAX_NUMBER_BYTES,
  NUMBER_BYTES,
  writeInteger,
  writeTime,
} from './written-numbers.js';

/** A row as clients see it. */
export interface WrittenRow {
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
const [QUOTE, BACKSLASH, SPACE, DELETE] = [codeOf('"'), codeOf('\\'), codeOf(' '), 0x7f];
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
  isAscii: boolean;
}

/**
 * Makes the writer of a table's rows.
 *
 * perf: bytes are copied from the page to the JSON. Objects of the rows and `JSON.stringify` took three times as long,
 * and 60 KB of memory for a page of 25 contacts (decision 15).
 *
 * @param columns the first one is the id
 */
export function createRowWriter(columns: readonly Column[]): RowWriter {
  const members = columns.map(({ member, type }, index) => ({
    member,
    type,
    prefix: Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(member)}:`),
    write: WRITERS[type],
  }));
  const perRow = members.reduce(
    (sum, { prefix, type }) =>
      sum + prefix.length + (type === 'text' ? MAX_ADDED_BYTES : MAX_NUMBER_BYTES),
    1,
  );
  const bytesPerRow = members.filter(({ type }) => type !== 'text').length * NUMBER_BYTES;
  return {
    writePage({ texts, numbers }) {
      if (texts === null || numbers === null) return [];
      const size = texts.length * MAX_UNIT_BYTES + (numbers.length / bytesPerRow) * perRow;
      const out = size <= SHARED.length ? SHARED : Buffer.allocUnsafe(size);
      const writing: Writing = { texts, at: 0, numbers, numberAt: 0, out, end: 0, isAscii: true };
      const ids: number[] = [];
      const ends: number[] = [];
      while (writing.numberAt < numbers.length) {
        ids.push(idAt(writing));
        for (const { prefix, write } of members) {
          copyBytes(writing, prefix);
          if (!write(writing)) return undefined;
        }
        out[writing.end++] = CLOSING;
        ends.push(writing.end);
      }
      // Each text and each NULL has one mark. Any mark within a text makes more of them.
      if (writing.at < texts.length) return undefined;
      const textBetween = readerOf(writing);
      return ids.map((id, row) => ({ id, json: textBetween(ends[row - 1] ?? 0, ends[row]) }));
    },
    writeRow(row) {
      const values = members.map(({ member, type }) => [
        member,
        jsonValue(row[member] ?? null, type),
      ]);
      return {
        id: Number(row[members[0]?.member ?? '']),
        json: JSON.stringify(Object.fromEntries(values)),
      };
    },
  };
}

/** perf: bytes of ASCII become one text, of which parts are cut without a copy. */
function readerOf({ out, end, isAscii }: Writing): (from: number, to?: number) => string {
  if (!isAscii) return (from, to) => out.toString('utf8', from, to);
  const json = out.toString('latin1', 0, end);
  return (from, to) => json.slice(from, to);
}

function jsonValue(value: string | null, type: Column['type']): string | number | null {
  if (value === null || type === 'text') return value;
  return type === 'time' ? timeOf(value) : Number(value);
}

/** Each reads a value. @returns false where the page has none */
type WriteValue = (writing: Writing) => boolean;

const WRITERS: Readonly<Record<Column['type'], WriteValue>> = {
  id: writeInteger,
  integer: writeInteger,
  time: writeTime,
  text: writeTextOrNull,
};

const NULL_TEXT = Buffer.from('null');

function writeTextOrNull(writing: Writing): boolean {
  const mark = writing.texts.charCodeAt(writing.at);
  writing.at += 1;
  if (mark === NULL) copyBytes(writing, NULL_TEXT);
  else if (mark === VALUE) writeText(writing);
  else return false;
  return true;
}

function copyBytes(writing: Writing, bytes: Uint8Array): void {
  const { out } = writing;
  let { end } = writing;
  // perf: an iterator takes a fifth of the whole page longer.
  for (let index = 0; index < bytes.length; index += 1) out[end++] = bytes[index] ?? 0;
  writing.end = end;
}

/** Whether a character ends the value. `charCodeAt` is NaN at the end of the texts. */
function isEnd(code: number): boolean {
  return code === VALUE || code === NULL || Number.isNaN(code);
}

function endOfValue({ texts, at }: Writing): number {
  let end = at;
  while (!isEnd(texts.charCodeAt(end))) end += 1;
  return end;
}

function writeText(writing: Writing): void {
  const { texts, out, at: start, end: begin } = writing;
  let [at, end] = [start, begin];
  out[end++] = QUOTE;
  for (;;) {
    const code = texts.charCodeAt(at);
    if (!(code >= SPACE && code <= DELETE) || code === QUOTE || code === BACKSLASH) break;
    out[end++] = code;
    at += 1;
  }
  if (isEnd(texts.charCodeAt(at))) {
    out[end++] = QUOTE;
    writing.at = at;
    writing.end = end;
    return;
  }
  const value = texts.slice(start, endOfValue(writing));
  writing.at = start + value.length;
  writing.end = begin + out.write(JSON.stringify(value), begin);
  writing.isAscii = false;
}
