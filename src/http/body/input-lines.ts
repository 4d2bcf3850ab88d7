/** A line of an input, counted from 1, with its text or the reason why it is unreadable. */
export type InputLine =
  | { readonly line: number; readonly text: string }
  | { readonly line: number; readonly reason: string };

/** Maximum bytes of a line. Further bytes are not kept in memory. */
const MAX_LINE = 16_384;

const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * Reads the lines of an input in UTF-8. Lines end with LF or CRLF. A leading byte-order mark is removed. A line that
 * is too long or not UTF-8 is reported, and reading continues with the next.
 */
export async function* readLines(
  chunks: AsyncIterable<Buffer | string>,
): AsyncGenerator<InputLine> {
  let line = 1;
  let parts: Buffer[] = [];
  let length = 0;
  const take = (part: Buffer) => {
    length += part.length;
    if (length <= MAX_LINE) parts.push(part);
  };
  const end = (): InputLine => {
    const read = decode(line, parts, length);
    line += 1;
    parts = [];
    length = 0;
    return read;
  };
  for await (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let start = 0;
    for (let stop; (stop = bytes.indexOf(NEWLINE, start)) >= 0; start = stop + 1) {
      take(bytes.subarray(start, stop));
      yield end();
    }
    take(bytes.subarray(start));
  }
  if (length > 0) yield end();
}

function decode(line: number, parts: readonly Buffer[], length: number): InputLine {
  if (length > MAX_LINE) return { line, reason: `longer than ${MAX_LINE} bytes` };
  let text: string;
  try {
    text = decodeUtf8(Buffer.concat(parts));
  } catch {
    return { line, reason: 'not UTF-8' };
  }
  const isMarked = line === 1 && text.startsWith(BYTE_ORDER_MARK);
  return { line, text: (isMarked ? text.slice(1) : text).replace(/\r$/, '') };
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws TypeError for bytes that are not UTF-8 */
function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/**
 * Decodes a whole input as text and removes a byte-order mark.
 * @returns `undefined` for bytes that are not UTF-8
 */
export function readText(bytes: Uint8Array): string | undefined {
  try {
    const text = decodeUtf8(bytes);
    return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  } catch {
    return undefined;
  }
}
