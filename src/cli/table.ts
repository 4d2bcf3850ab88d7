import stringWidth from 'string-width';

import { escapeUnprintable } from '../http/body/text.js';
import { paint, paintState, type Layout } from './terminal.js';

const GAP = '  ';
/** A column that does not fit is shortened down to this. */
const MIN_WIDTH = 8;
const ELLIPSIS = '…';
const STATES = ['status', 'state', 'outcome'];

const graphemes = new Intl.Segmenter();

/** A table that is rendered piece by piece, with a heading above the first. */
export interface TableRenderer {
  readonly render: (rows: readonly object[]) => string;
  /** Whether a column was left out or a value shortened. */
  readonly isShortened: () => boolean;
}

/**
 * Renders a table. Without a width, all columns are shown in full, and only ever grow: a later piece may be wider
 * than an earlier one. With a width, the first piece decides which columns fit, and how wide they are.
 */
export function createTableRenderer({ width, columns, hasColors }: Layout): TableRenderer {
  let names: readonly string[] | undefined;
  let widths: readonly number[] = [];
  let isShortened = false;

  function start(first: Record<string, unknown> | undefined): readonly string[] {
    const all = Object.keys(first ?? {});
    const wanted = columns === undefined ? all : all.filter((name) => columns.includes(name));
    return wanted.length === 0 ? all : wanted;
  }

  function show(text: string, index: number, isLast: boolean): string {
    const room = widths[index] ?? 0;
    const cut = width === undefined ? text : shorten(text, room);
    if (cut !== text) isShortened = true;
    return isLast ? cut : cut + ' '.repeat(Math.max(0, room - stringWidth(cut)));
  }

  function line(cells: readonly string[], of: (text: string, name: string) => string): string {
    return cells
      .map((text, index) => of(show(text, index, index === cells.length - 1), names?.[index] ?? ''))
      .join(GAP);
  }

  return {
    isShortened: () => isShortened,
    render(rows) {
      const plain = rows.map((row) => JSON.parse(JSON.stringify(row)) as Record<string, unknown>);
      const isFirst = names === undefined;
      let shown = (names ??= start(plain[0]));
      const cellsOf = (row: Record<string, unknown>) => shown.map((name) => cell(row[name]));
      let cells = plain.map(cellsOf);
      if (isFirst || width === undefined) {
        const measured = shown.map((name, index) =>
          Math.max(
            widths[index] ?? 0,
            stringWidth(name),
            ...cells.map((texts) => stringWidth(texts[index] ?? '')),
          ),
        );
        widths = width === undefined ? measured : fit(measured, width);
      }
      if (isFirst && widths.length < shown.length) {
        names = shown = shown.slice(0, widths.length);
        cells = plain.map(cellsOf);
      }
      if (isFirst && plain[0] !== undefined && shown.length < Object.keys(plain[0]).length) {
        isShortened = true;
      }
      const lines = cells.map((texts) =>
        line(texts, (text, name) => (STATES.includes(name) ? paintState(text, hasColors) : text)),
      );
      if (isFirst) lines.unshift(line(shown, (text) => paint('bold', text, hasColors)));
      return lines.join('\n');
    },
  };
}

/**
 * The widths at which columns fit: the widest are shortened first, and the last are left out if that is not enough.
 * The first, by which a row is named, is shortened only if it alone is too wide.
 */
function fit(widths: readonly number[], available: number): readonly number[] {
  const [first = 0, ...others] = widths;
  if (first > available) return [available];
  for (let count = others.length; count > 0; count -= 1) {
    const kept = others.slice(0, count);
    const room = available - first - GAP.length * count;
    const limit = limitFor(kept, room);
    if (limit !== undefined) return [first, ...kept.map((width) => Math.min(width, limit))];
  }
  return [first];
}

/** The largest width to which all can be limited so that together they fit. */
function limitFor(widths: readonly number[], room: number): number | undefined {
  const total = (limit: number) => widths.reduce((sum, width) => sum + Math.min(width, limit), 0);
  let limit = Math.max(...widths);
  if (total(limit) <= room) return limit;
  limit = Math.min(limit, room);
  while (limit >= MIN_WIDTH && total(limit) > room) limit -= 1;
  return limit >= MIN_WIDTH ? limit : undefined;
}

/** The text, or as much of it as fits before an ellipsis. */
function shorten(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = '';
  let taken = 0;
  for (const { segment } of graphemes.segment(text)) {
    taken += stringWidth(segment);
    if (taken > width - 1) break;
    kept += segment;
  }
  return kept + ELLIPSIS;
}

/** A value on one line, with each character that a terminal would act on escaped. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (Array.isArray(value)) return value.map(cell).join(' ');
  return escapeUnprintable(typeof value === 'string' ? value : JSON.stringify(value));
}
