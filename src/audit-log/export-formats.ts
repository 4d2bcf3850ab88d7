import type { ShownEntry } from './entry-presenter.js';

/** A format of exports: its media type and the texts of a file. */
export interface ExportFormat {
  readonly mediaType: string;
  readonly extension: string;
  readonly head: string;
  readonly lineOf: (entry: ShownEntry) => string;
}

/** Characters with which spreadsheets begin a formula, also in full width (OWASP, CSV injection). */
const FORMULA = /^[\s\0]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/u;

const COLUMNS: readonly (readonly [name: string, of: (entry: ShownEntry) => unknown])[] = [
  ['id', ({ id }) => id],
  ['createdAt', ({ createdAt }) => createdAt],
  ['actorType', ({ actor }) => actor.type],
  ['actorId', ({ actor }) => actor.id],
  ['actorName', ({ actor }) => actor.name],
  ['action', ({ action }) => action],
  ['objectType', ({ object }) => object.type],
  ['objectId', ({ object }) => object.id],
  ['objectName', ({ object }) => object.name],
  ['result', ({ result }) => result],
  ['count', ({ count }) => count],
  ['address', ({ address }) => address],
  ['requestId', ({ requestId }) => requestId],
  ['details', ({ details }) => JSON.stringify(details)],
];

/** RFC 4180: every field is quoted, lines end with CRLF. */
const csv: ExportFormat = {
  mediaType: 'text/csv; charset=utf-8; header=present',
  extension: 'csv',
  head: lineOf(COLUMNS.map(([name]) => name)),
  lineOf: (entry) => lineOf(COLUMNS.map(([, of]) => of(entry))),
};

/** One JSON value per line, as the API shows an entry. */
const jsonl: ExportFormat = {
  mediaType: 'application/x-ndjson; charset=utf-8',
  extension: 'jsonl',
  head: '',
  lineOf: (entry) => `${JSON.stringify(entry)}\n`,
};

export const EXPORT_FORMATS = { csv, jsonl } as const;
export type ExportFormatName = keyof typeof EXPORT_FORMATS;
export const EXPORT_FORMAT_NAMES = Object.keys(EXPORT_FORMATS) as ExportFormatName[];

function lineOf(values: readonly unknown[]): string {
  return `${values.map(fieldOf).join(',')}\r\n`;
}

/**
 * A field in quotes. An apostrophe before a formula makes spreadsheets show it as text. Names and addresses come from
 * strangers.
 */
function fieldOf(value: unknown): string {
  const text = value === null || value === undefined ? '' : String(value as string | number);
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}
