import { escapeUnprintable, escapeUnprintableJson } from '../http/body/text.js';
import { cell, createTableRenderer } from './table.js';
import { paint, paintState, type Layout } from './terminal.js';

/** The result of a command that is printed as it is, such as a script. */
export class PlainText {
  constructor(readonly text: string) {}
}

/** The result of a command that prints a long text, which is made while it is taken. */
export class TextStream {
  constructor(readonly texts: AsyncIterable<string>) {}
}

/**
 * A value as JSON on one line. Characters that a terminal would act on are escaped: names, addresses and reasons
 * come from strangers, and rows may be older than the rules for them.
 */
export function renderJson(value: unknown): string {
  return escapeUnprintableJson(JSON.stringify(value) ?? 'null');
}

/** The same for a message, on one line. */
export function renderMessage(message: string): string {
  return escapeUnprintable(message);
}

/** The same for a text that has several lines. */
export function renderLines(text: string): string {
  return text.split('\n').map(escapeUnprintable).join('\n');
}

/**
 * A command's result for a person: a table for a list; for a single thing a line per member, and below
 * those a table for each list of things in it.
 * @param result the value that `--json` prints
 */
export function renderText(
  result: unknown,
  layout: Layout,
): { readonly text: string; readonly isShortened: boolean } {
  const plain: unknown = JSON.parse(JSON.stringify(result) ?? 'null');
  if (Array.isArray(plain)) return renderTable(plain.filter(isRecord), layout);
  if (!isRecord(plain)) return { text: cell(plain), isShortened: false };
  const members = Object.entries(plain);
  const single = members.filter(([, value]) => !isTable(value));
  const width = single.reduce((widest, [key]) => Math.max(widest, key.length), 0);
  const lines = single.map(([key, value]) => {
    const label = paint('bold', escapeUnprintable(key).padEnd(width), layout.hasColors);
    return `${label}  ${paintState(cell(value), layout.hasColors)}`;
  });
  let isShortened = false;
  for (const [key, value] of members) {
    if (!isTable(value)) continue;
    const table = renderTable(value, { ...layout, columns: undefined });
    lines.push(`\n${paint('bold', escapeUnprintable(key), layout.hasColors)}\n${table.text}`);
    isShortened ||= table.isShortened;
  }
  return { text: lines.join('\n'), isShortened };
}

function renderTable(rows: readonly Record<string, unknown>[], layout: Layout) {
  if (rows.length === 0) return { text: 'None.', isShortened: false };
  const table = createTableRenderer(layout);
  return { text: table.render(rows), isShortened: table.isShortened() };
}

function isTable(value: unknown): value is readonly Record<string, unknown>[] {
  return Array.isArray(value) && value.length > 0 && value.every(isRecord);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
