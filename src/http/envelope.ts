import { type Answer, answerText, JSON_TYPE } from './answer-headers.js';
import type { Page } from './pagination.js';
import type { RequestState } from './context.js';

interface JsonAnswer extends Answer {
  readonly req: { readonly method?: string | undefined };
  readonly state: Pick<RequestState, 'requestId' | 'headers' | 'text' | 'isRead'>;
  status: number;
}

/** Answers `{data, meta}`. */
export function sendData(ctx: JsonAnswer, data: unknown, status = 200): void {
  send(ctx, status, { data, meta: { request_id: ctx.state.requestId } });
}

/**
 * As `sendData`, for data that is written as JSON already.
 * @param data one JSON value
 */
export function sendDataText(ctx: JsonAnswer, data: string): void {
  sendText(ctx, 200, `{"data":${data},"meta":{"request_id":"${ctx.state.requestId}"}}`);
}

/**
 * As `sendDataText`, for an object whose only member is a list of items.
 * @param items each written as JSON
 */
export function sendItemTexts(ctx: JsonAnswer, member: string, items: readonly string[]): void {
  const end = `]},"meta":{"request_id":"${ctx.state.requestId}"}}`;
  sendText(ctx, 200, listText(`{"data":{"${member}":[`, items, end));
}

/** Answers a page of a list, with the cursor of the next page. */
export function sendPage<Item>(
  ctx: JsonAnswer,
  page: Page<Item>,
  present: (item: Item) => unknown,
): void {
  send(ctx, 200, { data: page.items.map(present), meta: metaOf(ctx, page) });
}

/** As `sendPage`, for items that are written as JSON already. */
export function sendPageText(ctx: JsonAnswer, page: Page<{ readonly json: string }>): void {
  const items = page.items.map(({ json }) => json);
  sendText(
    ctx,
    200,
    listText('{"data":[', items, `],"meta":${JSON.stringify(metaOf(ctx, page))}}`),
  );
}

/** perf: one join copies every character once. A text that is put around a long one is copied again (decision 23). */
function listText(start: string, items: readonly string[], end: string): string {
  const texts = [...items];
  texts[0] = start + (texts[0] ?? '');
  texts[texts.length - 1] += end;
  return texts.join(',');
}

function metaOf({ state }: JsonAnswer, { items, cursor, hasMore }: Page<unknown>) {
  return {
    request_id: state.requestId,
    pagination: { cursor, has_more: hasMore ?? cursor !== null, count: items.length },
  };
}

function send(ctx: JsonAnswer, status: number, body: unknown): void {
  sendText(ctx, status, JSON.stringify(body));
}

function sendText(ctx: JsonAnswer, status: number, text: string): void {
  if (ctx.req.method === 'GET' || ctx.state.isRead === true) {
    answerText(ctx, JSON_TYPE, text, status);
    return;
  }
  ctx.status = status;
  // The body of a change is stored with its `Idempotency-Key`. A HEAD request has none.
  ctx.res.setHeader('Content-Type', JSON_TYPE);
  ctx.body = text;
}
