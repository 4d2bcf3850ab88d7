import { ELLIPSIS_MARK, NULL_MARK, VALUE_MARK } from './packed-rows.js';

/** Texts that are being read, and their JSON. */
interface Writing {
  readonly texts: string;
  /** The next character of the texts. */
  at: number;
  readonly out: Buffer;
  /** The next byte of the JSON. */
  end: number;
  /** By how much the bytes of the JSON are more than its UTF-16 units. */
  added: number;
}

const codeOf = (character: string) => character.charCodeAt(0);
const [VALUE, NULL, ELLIPSIS] = [codeOf(VALUE_MARK), codeOf(NULL_MARK), codeOf(ELLIPSIS_MARK)];
const [QUOTE, BACKSLASH, SPACE, DELETE] = [codeOf('"'), codeOf('\\'), codeOf(' '), 0x7f];
/** The ellipsis as an escape of JSON. */
const ESCAPE = Buffer.from(String.raw`\u2026`);
const [FIRST_SURROGATE, LAST_SURROGATE] = [0xd800, 0xdfff];

/** Writes a text as a JSON string. */
export function writeText(writing: Writing): void {
  writeString(writing, false);
}

/** As `writeText`, of a text in which a mark stands for the ellipsis. */
export function writeMasked(writing: Writing): void {
  writeString(writing, true);
}

function writeString(writing: Writing, isMasked: boolean): void {
  const { texts, out, at: start, end: begin } = writing;
  let [at, end, escaped] = [start, begin, 0];
  out[end++] = QUOTE;
  for (;;) {
    const code = texts.charCodeAt(at);
    if (code >= SPACE && code <= DELETE) {
      if (code === QUOTE || code === BACKSLASH) break;
      out[end++] = code;
    } else if (isBeyondAscii(code)) end = writeUnit(out, end, code);
    else if (code === ELLIPSIS && isMasked) {
      for (let index = 0; index < ESCAPE.length; index += 1) out[end++] = ESCAPE[index] ?? 0;
      escaped += ESCAPE.length - 1;
    } else break;
    at += 1;
  }
  if (!isEnd(texts.charCodeAt(at))) {
    const value = valueOf(writing);
    const text = isMasked ? value.replaceAll(ELLIPSIS_MARK, '…') : value;
    writeWhole(writing, value, JSON.stringify(text));
    return;
  }
  writing.added += end - begin - (at - start) - 1 - escaped;
  out[end++] = QUOTE;
  writing.at = at;
  writing.end = end;
}

/** Writes a list or a boolean as the database wrote it, which is JSON without blanks. */
export function writeVerbatim(writing: Writing): void {
  const { texts, out, at: start, end: begin } = writing;
  let [at, end] = [start, begin];
  for (;;) {
    const code = texts.charCodeAt(at);
    if (code >= SPACE && code <= DELETE) out[end++] = code;
    else if (isBeyondAscii(code)) end = writeUnit(out, end, code);
    else break;
    at += 1;
  }
  if (!isEnd(texts.charCodeAt(at))) {
    const value = valueOf(writing);
    writeWhole(writing, value, value);
    return;
  }
  writing.added += end - begin - (at - start);
  writing.at = at;
  writing.end = end;
}

/** Writes JSON of the database, which has blanks, as `JSON.stringify` would. */
export function writeJson(writing: Writing): void {
  const value = valueOf(writing);
  writeWhole(writing, value, JSON.stringify(parseOrNull(value)));
}

/** A mark within a text before it moves the values. Such a page is not used. */
function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Writes a value whose JSON is known. */
function writeWhole(writing: Writing, value: string, json: string): void {
  const bytes = writing.out.write(json, writing.end);
  writing.at += value.length;
  writing.end += bytes;
  writing.added += bytes - json.length;
}

/** Whether a character is beyond ASCII, and a whole one. */
function isBeyondAscii(code: number): boolean {
  return code > DELETE && (code < FIRST_SURROGATE || code > LAST_SURROGATE);
}

/** Writes such a character as UTF-8. */
function writeUnit(out: Buffer, end: number, code: number): number {
  if (code < 0x800) {
    out[end] = 0xc0 | (code >> 6);
    out[end + 1] = 0x80 | (code & 0x3f);
    return end + 2;
  }
  out[end] = 0xe0 | (code >> 12);
  out[end + 1] = 0x80 | ((code >> 6) & 0x3f);
  out[end + 2] = 0x80 | (code & 0x3f);
  return end + 3;
}

/** Whether a character ends the value. `charCodeAt` is NaN at the end of the texts. */
function isEnd(code: number): boolean {
  return code === VALUE || code === NULL || Number.isNaN(code);
}

/** The value up to the next mark. */
function valueOf({ texts, at }: Writing): string {
  let end = at;
  while (!isEnd(texts.charCodeAt(end))) end += 1;
  return texts.slice(at, end);
}
