import { createHash } from 'node:crypto';
import { z } from 'zod';

import type { AddressLimit } from '../rate-limits/index.js';
import { guardedRoute, type GuardedRoute, type GuardedState } from '../credentials/index.js';
import { dataOf } from '../http/answers.js';
import { parseJson, readRawJson } from '../http/body/body.js';
import type { RouteContext } from '../http/context.js';
import { sendData } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { COST } from '../http/route-declaration.js';
import { parseWith } from '../http/validation.js';
import type { ExposedCredentials } from './exposed-credentials.js';
import type { ScannerSignatures } from './scanner-signatures.js';

type PublicContext = RouteContext<GuardedState>;

interface Dependencies {
  readonly exposed: ExposedCredentials;
  readonly limit: Pick<AddressLimit, 'take'>;
  readonly clientAddress: (request: PublicContext['req']) => string;
  /** Absent without configured keys: then there is no route for scanners. */
  readonly signatures: ScannerSignatures | undefined;
}

const MAX_SECRETS = 100;
/** Longer than every credential, imported ones included. */
const MAX_SECRET = 1000;
const MAX_REPORT = 128 * 1024;
/** Reports of one address (an IPv6 /64) in a minute. */
const REPORTS_PER_MINUTE = 20;

const MAX_MATCHES = 1000;
const MAX_MESSAGE = 1024 * 1024;
/** Messages of scanners are signed, and come from few addresses. */
const MESSAGES_PER_MINUTE = 600;

const report = z.strictObject({
  credentials: z.array(z.string().min(1).max(MAX_SECRET)).min(1).max(MAX_SECRETS),
});

/** A scanner may add members. */
const matches = z
  .array(
    z.object({
      token: z.string().max(MAX_SECRET),
      type: z.string().max(200),
      url: z.string().max(2000).nullish(),
    }),
  )
  .min(1)
  .max(MAX_MATCHES);

/** The form that scanners expect. */
const labels = z.array(
  z.strictObject({
    token_hash: z.string(),
    token_type: z.string(),
    label: z.enum(['true_positive', 'false_positive']),
  }),
);

/**
 * `/credentials/revoke`, where anybody who has found a credential ends it, and `/credentials/exposed`, where secret
 * scanning services report what they found.
 */
export function createExposedRoutes(dependencies: Dependencies): GuardedRoute[] {
  const { exposed, limit, clientAddress, signatures } = dependencies;

  function admit(ctx: PublicContext, purpose: string, perMinute: number): void {
    const verdict = limit.take(purpose, clientAddress(ctx.req), perMinute);
    if (verdict.isAllowed) return;
    throw new Problem('rate_limited', 'Too many reports from this address. Try again later.', {
      headers: { 'Retry-After': String(verdict.retryAfterSeconds) },
    });
  }
  const finderOf = (ctx: PublicContext) => ({
    address: clientAddress(ctx.req),
    requestId: ctx.state.requestId,
  });
  const parts: Parts = { exposed, admit, finderOf };
  const found = createFoundRoute(parts);
  return signatures === undefined ? [found] : [found, createScannerRoute(parts, signatures)];
}

interface Parts extends Pick<Dependencies, 'exposed'> {
  /** @throws Problem `rate_limited` */
  readonly admit: (ctx: PublicContext, purpose: string, perMinute: number) => void;
  readonly finderOf: (ctx: PublicContext) => {
    readonly address: string;
    readonly requestId: string;
  };
}

function createFoundRoute({ exposed, admit, finderOf }: Parts): GuardedRoute {
  return guardedRoute({
    method: 'POST',
    path: '/credentials/revoke',
    summary: 'Revoke credentials that were found in public',
    access: 'public',
    cost: COST.change,
    ownBody: report,
    answers: { 202: dataOf(z.strictObject({ received: z.int() })) },
    async handle(ctx) {
      admit(ctx, 'exposed', REPORTS_PER_MINUTE);
      const { credentials } = parseWith(report, parseJson(await readRawJson(ctx, MAX_REPORT)));
      const secrets = [...new Set(credentials)].map((secret) => ({ secret: secret.trim() }));
      await exposed.end(secrets, finderOf(ctx), 'holder');
      ctx.set('Cache-Control', 'no-store');
      // The same for every content, so that nothing is learned about a guessed credential.
      sendData(ctx, { received: credentials.length }, 202);
    },
  });
}

function createScannerRoute(
  { exposed, admit, finderOf }: Parts,
  signatures: NonNullable<Dependencies['signatures']>,
): GuardedRoute {
  return guardedRoute({
    method: 'POST',
    path: '/credentials/exposed',
    summary: 'Report the findings of a secret scanning service',
    access: 'public',
    cost: COST.change,
    ownBody: matches,
    answers: { 200: labels },
    async handle(ctx) {
      admit(ctx, 'scanner', MESSAGES_PER_MINUTE);
      const body = await readRawJson(ctx, MAX_MESSAGE);
      if (!signatures.isSigned(ctx.req.headers, body)) {
        throw new Problem('unauthorized', 'The message is not signed by a configured key.');
      }
      const found = parseWith(matches, parseJson(body));
      const secrets = found.map(({ token, url }) => ({ secret: token, url: url ?? undefined }));
      const known = await exposed.end(secrets, finderOf(ctx), 'secret-scanning');
      ctx.set('Cache-Control', 'no-store');
      ctx.type = 'application/json';
      ctx.body = JSON.stringify(
        found.map(({ token, type }, index) => ({
          token_hash: createHash('sha256').update(token).digest('hex'),
          token_type: type,
          label: known[index] === true ? 'true_positive' : 'false_positive',
        })),
      );
    },
  });
}
