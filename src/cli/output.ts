import { escapeUnprintable, escapeUnprintableJson } from '../http/text.js';

/**
 * A command's result as it is printed. Characters that a terminal would act on are escaped: names, addresses
 * and reasons come from strangers, and rows may be older than the rules for them.
 *
 * @param isJson whether it is one JSON value, or text for a person
 */
export function render(result: unknown, isJson: boolean): string {
  return isJson ? escapeUnprintableJson(JSON.stringify(result) ?? 'null') : renderText(result);
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
  const width = Math.max(...single.map(([key]) => key.length));
  return [
    ...single.map(([key, value]) => `${escapeUnprintable(key).padEnd(width)}  ${cell(value)}`),
    ...members.flatMap(([key, value]) =>
      isTable(value) ? [`\n${escapeUnprintable(key)}\n${renderTable(value)}`] : [],
    ),
  ].join('\n');
}

function renderTable(rows: readonly Record<string, unknown>[]): string {
  const [first] = rows;
  if (first === undefined) return 'None.';
  const columns = Object.keys(first);
  const cells = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, index) =>
    Math.max(...cells.map((row) => row[index]?.length ?? 0)),
  );
  return cells
    .map((row) =>
      row
        .map((text, index) => text.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
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
