import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Call } from './command.js';
import { Listing } from './listing.js';
import { PlainText, renderJson, renderText, TextStream } from './output.js';
import { createTableRenderer } from './table.js';
import { hasColors, widthOf, type Layout, type Output } from './terminal.js';

const SHORTENED = 'The table is shortened to the terminal: --wide shows all of it.\n';

/** The reader stopped taking the output, as `head` does. */
export class OutputClosed extends Error {}

interface Streams {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly output: Output;
  readonly messages: Writable;
}

/**
 * Prints a command's result: with `--json` as one JSON value, otherwise for a person.
 * @throws OutputClosed if nobody takes the output any more
 */
export async function print(result: unknown, call: Call, streams: Streams): Promise<void> {
  const { output, messages, env } = streams;
  const terminalWidth = widthOf(output);
  const isFitted = terminalWidth !== undefined && !call.isWide;
  const layout = {
    width: isFitted ? terminalWidth : undefined,
    columns: isFitted ? call.command.columns : undefined,
    hasColors: hasColors(output, env),
  };
  if (result instanceof Listing) {
    await printListing(result, layout, { output, messages, isJson: call.isJson });
  } else if (result instanceof TextStream) {
    const write = createWriter(output);
    for await (const text of result.texts) await write(text);
  } else if (result instanceof PlainText) {
    output.write(result.text);
  } else if (call.isJson) {
    output.write(`${renderJson(result)}\n`);
  } else {
    const { text, isShortened } = renderText(result, layout);
    output.write(`${text}\n`);
    if (isShortened) messages.write(SHORTENED);
  }
}

/** @returns writes a text and waits until the reader has room for more; throws OutputClosed if there is none */
function createWriter(output: Writable): (text: string) => Promise<void> {
  const closed = finished(output, { readable: false, cleanup: true }).catch(() => undefined);
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  return async (text) => {
    if (isClosed || output.destroyed) throw new OutputClosed();
    if (text === '' || output.write(text)) return nextTurn();
    await Promise.race([new Promise<void>((resolve) => output.once('drain', resolve)), closed]);
  };
}

/** Prints a list as one JSON array or a table. Waits for the reader after each page. */
async function printListing(
  { pages, hasMore }: Listing,
  layout: Layout,
  { output, messages, isJson }: { output: Writable; messages: Writable; isJson: boolean },
): Promise<void> {
  const write = createWriter(output);
  const table = createTableRenderer(layout);
  let isFirst = true;
  for await (const page of pages) {
    if (page.length === 0) continue;
    const lead = isFirst ? '[' : ',';
    await write(isJson ? lead + page.map(renderJson).join(',') : `${table.render(page)}\n`);
    isFirst = false;
  }
  if (isJson) await write(isFirst ? '[]\n' : ']\n');
  else if (isFirst) await write('None.\n');
  if (table.isShortened()) messages.write(SHORTENED);
  if (hasMore()) messages.write('There is more: --limit N lists up to N, --all lists all.\n');
}
