import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';

import { guardLateBody, type Access, type GuardedState } from '../credentials/index.js';
import { dataOf } from '../http/answers.js';
import { parseJson, readBody } from '../http/body/body.js';
import type { RequestState } from '../http/context.js';
import { sendItemTexts } from '../http/envelope.js';
import { createQueryCheck } from '../http/query.js';
import type { Route } from '../http/routes.js';
import { CALLERS, createCallerGuard, type CallerState } from './callers.js';
import {
  createForwardAuth,
  FORWARD_AUTH_PATH,
  type ForwardAuthDependencies,
} from './forward-auth.js';
import { createChangeFeed } from './changes/change-feed.js';
import { createChangeReader } from './changes/change-reader.js';
import { createChangeStreams } from './changes/change-stream.js';
import { readQuestions } from './questions.js';
import { verdictsAnswer, verifyRequest } from './verify-schema.js';
import { createVerdicts, type VerdictDependencies } from './verdicts.js';

export { FORWARD_AUTH_PATH };
export { deleteOldChanges } from './changes/change-reader.js';

interface Dependencies
  extends ForwardAuthDependencies, Pick<VerdictDependencies, 'annotationsOf' | 'judgeAll'> {
  readonly guard: (access: Access) => Middleware<GuardedState>;
  readonly servers: Parameters<typeof createCallerGuard>[0]['servers'];
  readonly clientAddress: (request: IncomingMessage) => string;
  readonly dataSource: DataSource;
  readonly log: Logger;
  readonly isStopping: () => boolean;
}

/** Verification for other services: in batches, and one by one for gateways. */
export interface Verification {
  readonly routes: readonly Route<Access, CallerState>[];
  /** The middleware before the handler of a route. */
  readonly before: (route: Route<Access, CallerState>) => readonly Middleware<CallerState>[];
  /** Answers every method and path below `FORWARD_AUTH_PATH`. Must be mounted before CORS. */
  readonly forwardAuth: Middleware<RequestState>;
}

export function createVerification(dependencies: Dependencies): Verification {
  const { clientAddress, dataSource, log, isStopping } = dependencies;
  const verdictsOn = createVerdicts(dependencies);
  const guard = createCallerGuard(dependencies);
  const feed = createChangeFeed(createChangeReader(dataSource.manager), (error) =>
    log.warn({ err: error }, 'the changes of verdicts could not be read'),
  );
  const sendChanges = createChangeStreams(feed, isStopping);
  return {
    before: ({ method }) => [
      guard,
      createQueryCheck([]) as Middleware<CallerState>,
      ...(method === 'GET' ? [] : [readBody as Middleware<CallerState>, guardLateBody(guard)]),
    ],
    forwardAuth: createForwardAuth(dependencies),
    routes: [
      {
        method: 'POST',
        path: '/verify',
        summary: 'Judge credentials that a service was presented',
        access: CALLERS,
        ownBody: verifyRequest,
        answers: { 200: dataOf(verdictsAnswer) },
        async handle(ctx) {
          ctx.state.isRead = true;
          const questions = readQuestions(parseJson(ctx.state.rawBody));
          const caller = { target: ctx.state.target, address: clientAddress(ctx.req) };
          const verdicts = await verdictsOn(questions, caller);
          sendItemTexts(ctx, 'verdicts', verdicts);
        },
      },
      {
        method: 'GET',
        path: '/verify/changes',
        summary: 'Follow the changes that end kept verdicts',
        access: CALLERS,
        answers: { 200: { mediaTypes: ['text/event-stream; charset=utf-8'] } },
        handle: (ctx) => sendChanges(ctx, ctx.state.caller),
      },
    ],
  };
}
