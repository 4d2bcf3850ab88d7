/** The bytes of a value of a page that is not a text. */
export const NUMBER_BYTES = 8;
/** The most bytes of its JSON: those of a time far from today. */
export const MAX_NUMBER_BYTES = 32;

/** Values that are being read, and their JSON. */
interface Writing {
  readonly numbers: Buffer;
  /** The next byte of the numbers. */
  numberAt: number;
  readonly out: Buffer;
  /** The next byte of the JSON. */
  end: number;
}

const TWO_TO_32 = 2 ** 32;
/** Upper halves of the numbers below 2^52, with which floating point computes exactly. */
const MAX_HIGH = 2 ** 20;
const INT_MAX = 2 ** 31 - 1;
/** The upper and the lower half of the number that stands for NULL. */
const [NULL_HIGH, NULL_LOW] = [-(2 ** 31), 1];
/** 2000, from which PostgreSQL counts the microseconds of a time, in milliseconds since 1970. */
const EPOCH = Date.UTC(2000, 0, 1);
/** PostgreSQL's `infinity` and `-infinity`. */
const [INFINITY, MINUS_INFINITY] = [2n ** 63n - 1n, -(2n ** 63n)];
const MS_PER_DAY = 86_400_000;

/** The next number, which is left to be read. */
export function idAt({ numbers, numberAt }: Pick<Writing, 'numbers' | 'numberAt'>): number {
  return numbers.readInt32BE(numberAt) * TWO_TO_32 + numbers.readUInt32BE(numberAt + 4);
}

/** Passes over a number that clients do not see. */
export function skipNumber(writing: Writing): true {
  writing.numberAt += NUMBER_BYTES;
  return true;
}

/** Writes the next number. */
export function writeInteger(writing: Writing): true {
  const value = idAt(writing);
  if (value >= 0 && value <= INT_MAX) {
    writing.numberAt += NUMBER_BYTES;
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits += 1;
    writeDigits(writing, value, digits);
  } else if (isNull(writing)) {
    writeNull(writing);
  } else {
    writeAscii(writing, String(readExactly(writing)));
  }
  return true;
}

/** Writes the next number as a time, in UTC to the millisecond. */
export function writeTime(writing: Writing): true {
  const high = writing.numbers.readInt32BE(writing.numberAt);
  if (high >= 0 && high < MAX_HIGH) {
    const ms = Math.floor(idAt(writing) / 1000);
    writing.numberAt += NUMBER_BYTES;
    writeUsualTime(writing, ms);
  } else if (isNull(writing)) {
    writeNull(writing);
  } else {
    writeAscii(writing, timeFarAway(readExactly(writing)));
  }
  return true;
}

/** perf: rows of a page were mostly made on a few days. */
const DAYS = Array.from({ length: 64 }, () => ({ day: -1, text: '' }));

const codeOf = (character: string) => character.charCodeAt(0);
const [QUOTE, COLON, POINT, ZERO, LETTER_Z] = [
  codeOf('"'),
  codeOf(':'),
  codeOf('.'),
  codeOf('0'),
  codeOf('Z'),
];

/** @param ms since 2000 */
function writeUsualTime(writing: Writing, ms: number): void {
  const { out } = writing;
  const day = Math.floor(ms / MS_PER_DAY);
  const known = DAYS[day % DAYS.length];
  if (known === undefined) return;
  if (known.day !== day) {
    known.text = `"${new Date(EPOCH + day * MS_PER_DAY).toISOString().slice(0, 11)}`;
    known.day = day;
  }
  writeAscii(writing, known.text);
  const rest = ms - day * MS_PER_DAY;
  writeDigits(writing, Math.floor(rest / 3_600_000), 2);
  out[writing.end++] = COLON;
  writeDigits(writing, Math.floor(rest / 60_000) % 60, 2);
  out[writing.end++] = COLON;
  writeDigits(writing, Math.floor(rest / 1000) % 60, 2);
  out[writing.end++] = POINT;
  writeDigits(writing, rest % 1000, 3);
  out[writing.end++] = LETTER_Z;
  out[writing.end++] = QUOTE;
}

/** A time before 2000 or after 2142. */
function timeFarAway(micros: bigint): string {
  if (micros === INFINITY) return '"infinity"';
  if (micros === MINUS_INFINITY) return '"-infinity"';
  const ms = Number((micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n);
  return JSON.stringify(new Date(EPOCH + ms));
}

function isNull({ numbers, numberAt }: Writing): boolean {
  return (
    numbers.readInt32BE(numberAt) === NULL_HIGH && numbers.readUInt32BE(numberAt + 4) === NULL_LOW
  );
}

function writeNull(writing: Writing): void {
  writing.numberAt += NUMBER_BYTES;
  writeAscii(writing, 'null');
}

function readExactly(writing: Writing): bigint {
  const value = writing.numbers.readBigInt64BE(writing.numberAt);
  writing.numberAt += NUMBER_BYTES;
  return value;
}

/** Writes the last digits of a number, at least as many as it has. */
function writeDigits(writing: Writing, value: number, digits: number): void {
  const { out, end } = writing;
  let rest = value;
  for (let at = end + digits - 1; at >= end; at -= 1) {
    const next = Math.floor(rest / 10);
    out[at] = ZERO + rest - next * 10;
    rest = next;
  }
  writing.end = end + digits;
}

function writeAscii(writing: Writing, text: string): void {
  const { out } = writing;
  let { end } = writing;
  for (let index = 0; index < text.length; index += 1) out[end++] = text.charCodeAt(index);
  writing.end = end;
}
