import { escapeUnprintable, escapeUnprintableJson } from '../http/body/text.js';

/**
 * A command's result as it is printed. Characters that a terminal would act on are escaped: names, addresses
 * and reasons come from strangers, and rows may be older than the rules for them.
 *
 * @param isJson whether it is one JSON value, or text for a person
 */
export function render(result: unknown, isJson: boolean): string {
  return isJson ? renderJson(result) : renderText(result);
}

/** A value as JSON on one line. */
export function renderJson(value: unknown): string {
  return escapeUnprintableJson(JSON.stringify(value) ?? 'null');
}

/** Why a command failed, on one line, as it is printed. */
export function renderMessage(message: string): string {
  return escapeUnprintable(message);
}

/** The same for what has several lines, such as a stack. */
export function renderLines(text: string): string {
  return text.split('\n').map(escapeUnprintable).join('\n');
}

/**
 * A command's result for a person: a table for a list, a line a member for a single thing, and below
 * those a table for each list of things in it.
 * @param result what the command printed as JSON otherwise
 */
function renderText(result: unknown): string {
  const plain: unknown = JSON.parse(JSON.stringify(result) ?? 'null');
  if (Array.isArray(plain)) return renderTable(plain.filter(isRecord));
  if (!isRecord(plain)) return cell(plain);
  const members = Object.entries(plain);
  const single = members.filter(([, value]) => !isTable(value));
  const width = single.reduce((widest, [key]) => Math.max(widest, key.length), 0);
  return [
    ...single.map(([key, value]) => `${escapeUnprintable(key).padEnd(width)}  ${cell(value)}`),
    ...members.flatMap(([key, value]) =>
      isTable(value) ? [`\n${escapeUnprintable(key)}\n${renderTable(value)}`] : [],
    ),
  ].join('\n');
}

function renderTable(rows: readonly Record<string, unknown>[]): string {
  return rows.length === 0 ? 'None.' : createTableRenderer()(rows);
}

/**
 * Renders a table piece by piece, with a heading above the first. Columns only ever grow: a later piece may
 * be wider than an earlier one.
 */
export function createTableRenderer(): (rows: readonly object[]) => string {
  let columns: readonly string[] | undefined;
  const widths: number[] = [];
  return (rows) => {
    const plain = rows.map((row) => JSON.parse(JSON.stringify(row)) as Record<string, unknown>);
    const heading = columns === undefined;
    const names = (columns ??= Object.keys(plain[0] ?? {}));
    const cells = plain.map((row) => names.map((name) => cell(row[name])));
    if (heading) cells.unshift([...names]);
    for (const line of cells) {
      for (const [index, text] of line.entries()) {
        widths[index] = Math.max(widths[index] ?? 0, text.length);
      }
    }
    return cells
      .map((line) =>
        line
          .map((text, index) => text.padEnd(widths[index] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      .join('\n');
  };
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (Array.isArray(value)) return value.map(cell).join(' ');
  return escapeUnprintable(typeof value === 'string' ? value : JSON.stringify(value));
}

function isTable(value: unknown): value is readonly Record<string, unknown>[] {
  return Array.isArray(value) && value.length > 0 && value.every(isRecord);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
