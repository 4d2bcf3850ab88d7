import { NULL_MARK, timeOf, VALUE_MARK, type Column, type Packed } from './packed-rows.js';

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
/** The most bytes of JSON that a value has beside its text, or for NULL. */
const MAX_ADDED_BYTES = 8;

/** perf: shared by all pages, since a page is written without a pause. Larger ones get a buffer of their own. */
const SHARED = Buffer.allocUnsafeSlow(128 * 1024);

const codeOf = (character: string) => character.charCodeAt(0);
const [VALUE, NULL] = [codeOf(VALUE_MARK), codeOf(NULL_MARK)];
const [QUOTE, BACKSLASH, SPACE, DELETE] = [codeOf('"'), codeOf('\\'), codeOf(' '), 0x7f];
const [HYPHEN, COLON, POINT, ZERO] = [codeOf('-'), codeOf(':'), codeOf('.'), codeOf('0')];
const [LETTER_T, LETTER_Z, CLOSING] = [codeOf('T'), codeOf('Z'), codeOf('}')];

/** A page that is being read, and the JSON of its rows. */
interface Writing {
  readonly page: string;
  /** The next character of the page. */
  at: number;
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
  const perRow = members.reduce((sum, { prefix }) => sum + prefix.length + MAX_ADDED_BYTES, 1);
  return {
    writePage({ rows, page }) {
      const text = page ?? '';
      const size = text.length * MAX_UNIT_BYTES + rows * perRow;
      const out = size <= SHARED.length ? SHARED : Buffer.allocUnsafe(size);
      const writing: Writing = { page: text, at: 0, out, end: 0, isAscii: true };
      const ids: number[] = [];
      const ends: number[] = [];
      while (ids.length < rows) {
        ids.push(numberAt(text, writing.at + 1));
        for (const { prefix, write } of members) {
          copyBytes(writing, prefix);
          if (!writeValue(writing, write)) return undefined;
        }
        out[writing.end++] = CLOSING;
        ends.push(writing.end);
      }
      // Each value and each NULL has one mark. Any mark within a value makes more of them.
      if (writing.at < text.length) return undefined;
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

type WriteValue = (writing: Writing) => void;

/** Each reads a value up to the next mark. */
const WRITERS: Readonly<Record<Column['type'], WriteValue>> = {
  id: copyDigits,
  integer: copyDigits,
  text: writeText,
  time: writeTime,
};

const NULL_TEXT = Buffer.from('null');

/** @returns false where the page has no value */
function writeValue(writing: Writing, write: WriteValue): boolean {
  const mark = writing.page.charCodeAt(writing.at);
  writing.at += 1;
  if (mark === NULL) copyBytes(writing, NULL_TEXT);
  else if (mark === VALUE) write(writing);
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

/** Whether a character ends the value. `charCodeAt` is NaN at the end of the page. */
function isEnd(code: number): boolean {
  return code === VALUE || code === NULL || Number.isNaN(code);
}

function endOfValue({ page, at }: Writing): number {
  let end = at;
  while (!isEnd(page.charCodeAt(end))) end += 1;
  return end;
}

function copyDigits(writing: Writing): void {
  copyPart(writing, endOfValue(writing));
}

/** Copies ASCII up to a position of the page. */
function copyPart(writing: Writing, until: number): void {
  const { page, out } = writing;
  let { at, end } = writing;
  while (at < until) out[end++] = page.charCodeAt(at++);
  writing.at = at;
  writing.end = end;
}

function writeText(writing: Writing): void {
  const { page, out, at: start, end: begin } = writing;
  let [at, end] = [start, begin];
  out[end++] = QUOTE;
  for (;;) {
    const code = page.charCodeAt(at);
    if (!(code >= SPACE && code <= DELETE) || code === QUOTE || code === BACKSLASH) break;
    out[end++] = code;
    at += 1;
  }
  if (isEnd(page.charCodeAt(at))) {
    out[end++] = QUOTE;
    writing.at = at;
    writing.end = end;
    return;
  }
  const value = page.slice(start, endOfValue(writing));
  writing.at = start + value.length;
  writing.end = begin + out.write(JSON.stringify(value), begin);
  writing.isAscii = false;
}

/** Characters of a time up to the day, and up to the second. */
const [DAY, SECOND] = [10, 19];
const MILLISECONDS = 3;

/** Writes a time as JSON has it, of a time as PostgreSQL writes it. */
function writeTime(writing: Writing): void {
  const { page, out, at: start } = writing;
  const end = endOfValue(writing);
  if (!isUsual(page, start, end)) {
    writing.at = end;
    writing.end += out.write(JSON.stringify(timeOf(page.slice(start, end))), writing.end);
    return;
  }
  out[writing.end++] = QUOTE;
  copyPart(writing, start + DAY);
  out[writing.end++] = LETTER_T;
  writing.at += 1;
  copyPart(writing, start + SECOND);
  out[writing.end++] = POINT;
  const offset = end - UTC.length;
  for (let at = start + SECOND + 1; at <= start + SECOND + MILLISECONDS; at += 1) {
    out[writing.end++] = at < offset ? page.charCodeAt(at) : ZERO;
  }
  out[writing.end++] = LETTER_Z;
  out[writing.end++] = QUOTE;
  writing.at = end;
}

const UTC = '+00';

/** Whether a time has the format of a session in UTC, between the years 1 and 9999. */
function isUsual(page: string, start: number, end: number): boolean {
  const has = (offset: number, code: number) => page.charCodeAt(start + offset) === code;
  const fraction = end - start - SECOND - UTC.length;
  return (
    has(4, HYPHEN) &&
    has(7, HYPHEN) &&
    has(DAY, SPACE) &&
    has(13, COLON) &&
    has(16, COLON) &&
    (fraction === 0 || (fraction > 1 && fraction <= 7 && has(SECOND, POINT))) &&
    page.startsWith(UTC, end - UTC.length)
  );
}

function numberAt(page: string, start: number): number {
  let value = 0;
  for (let at = start; ; at += 1) {
    const digit = page.charCodeAt(at) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return value;
    value = value * 10 + digit;
  }
}
