import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

/** A stream that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** How a result for a person is laid out. */
export interface Layout {
  /** The terminal's width, to which tables are fitted; `undefined` for tables with full values. */
  readonly width: number | undefined;
  /** The columns that a table is limited to, if it is. */
  readonly columns: readonly string[] | undefined;
  readonly hasColors: boolean;
}

type Style = Parameters<typeof styleText>[0];

/**
 * Whether text for a stream is coloured: where it is a terminal, unless the environment says otherwise (`NO_COLOR`,
 * then `FORCE_COLOR`; https://no-color.org, https://force-color.org).
 */
export function hasColors(output: Output, env: Readonly<NodeJS.ProcessEnv>): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return output.isTTY === true && env['TERM'] !== 'dumb';
}

/** @returns `undefined` if the stream is not a terminal, or does not know its width */
export function widthOf({ isTTY, columns }: Output): number | undefined {
  return isTTY === true && columns !== undefined && columns > 0 ? columns : undefined;
}

export function paint(style: Style, text: string, isColored: boolean): string {
  // Newer releases of Node would look at the process's own standard output.
  return isColored && text !== '' ? styleText(style, text, { validateStream: false }) : text;
}

const STYLES: Readonly<Record<string, Style>> = {
  active: 'green',
  accepted: 'green',
  suspended: 'yellow',
  expired: 'yellow',
  revoked: 'red',
  blocked: 'red',
  refused: 'red',
};

/** Paints a state such as `active`; other text stays as it is. */
export function paintState(text: string, isColored: boolean): string {
  const style = STYLES[text.trim()];
  return style === undefined ? text : paint(style, text, isColored);
}
