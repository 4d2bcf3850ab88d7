import type { Page } from './pagination.js';
import type { RequestState } from './context.js';

/** perf: the full content type, since Koa would look up a short one for each answer. */
const JSON_TYPE = 'application/json; charset=utf-8';

interface Answer {
  readonly res: { setHeader(name: string, value: string): unknown };
  state: Pick<RequestState, 'requestId'>;
  status: number;
  body?: unknown;
}

/** Answers `{data, meta}`. */
export function sendData(ctx: Answer, data: unknown, status = 200): void {
  send(ctx, status, { data, meta: { request_id: ctx.state.requestId } });
}

/** Answers a page of a list, with the cursor of the next page. */
export function sendPage<Item>(
  ctx: Answer,
  page: Page<Item>,
  present: (item: Item) => unknown,
): void {
  send(ctx, 200, {
    data: page.items.map(present),
    meta: {
      request_id: ctx.state.requestId,
      pagination: { cursor: page.cursor, has_more: page.cursor !== null, count: page.items.length },
    },
  });
}

function send(ctx: Answer, status: number, body: unknown): void {
  ctx.status = status;
  ctx.res.setHeader('Content-Type', JSON_TYPE);
  ctx.body = JSON.stringify(body);
}
