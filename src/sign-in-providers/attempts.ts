import { randomBytes } from 'node:crypto';
import type { Context } from 'koa';
import { z } from 'zod';

import type { UsedProofs } from '../credentials/index.js';
import type { BrowserSecrets } from '../http/pages/browser-secret.js';
import { createSealedCookie, type Sealer } from '../http/pages/sealed-cookie.js';

/** The session in which an attempt began, and the page that it leads back to. */
const ofSession = { accountId: z.string(), sessionId: z.string(), path: z.string() };

/** The page that a sign-in continues to. */
const target = z.discriminatedUnion('kind', [
  /** A page of the console; `path` was checked when the attempt began. */
  z.object({ kind: z.literal('console'), path: z.string().optional() }),
  /** A pending authorization of an app. */
  z.object({ kind: z.literal('authorization'), uid: z.string() }),
  /** Links the identity to the signed-in account. */
  z.object({ kind: z.literal('link'), ...ofSession }),
  /** Proves that the signed-in user is present. */
  z.object({ kind: z.literal('confirm'), ...ofSession }),
]);

export type AttemptTarget = z.output<typeof target>;

const attempt = z.object({
  provider: z.string(),
  /** Also in the address of the callback. */
  state: z.string(),
  nonce: z.string(),
  /** RFC 7636 */
  verifier: z.string(),
  /** Whether the user must authenticate at the provider now, whatever session there is. */
  isFresh: z.boolean(),
  /** Seconds since the epoch. */
  startedAt: z.number(),
  target,
});

/** A sign-in that was begun at a provider. */
export type Attempt = z.output<typeof attempt>;

/** The reason why a callback belongs to no attempt. */
export type AttemptFault = 'other_browser' | 'expired' | 'used';

/**
 * Attempts to sign in at a provider. An attempt is sealed in a cookie, so that an anonymous request stores nothing. It is
 * bound to its provider and browser, and works once (decision 33).
 */
export interface Attempts {
  /** Begins an attempt, and gives it to the browser. A former one of the browser ends. */
  begin(ctx: Context, fields: Pick<Attempt, 'provider' | 'target' | 'isFresh'>): Attempt;
  /**
   * Takes the attempt of a callback. It cannot be taken again, on any replica.
   * @returns a fault also with the browser's attempt, if the callback belongs to it
   */
  take(
    ctx: Context,
    provider: string,
    state: string | undefined,
  ): Promise<Attempt | { readonly fault: AttemptFault; readonly attempt?: Attempt }>;
}

/** Long enough for a second factor. */
const ATTEMPT_SECONDS = 600;
const CONTEXT = 'sign-in at a provider';

interface Dependencies {
  readonly keyring: Sealer;
  readonly browsers: BrowserSecrets;
  readonly usedProofs: UsedProofs;
  readonly issuer: string;
}

export function createAttempts({ keyring, browsers, usedProofs, issuer }: Dependencies): Attempts {
  const cookies = createSealedCookie({ keyring, issuer, suffix: 'provider' });

  const open = (sealed: string, browser: string): readonly Attempt[] => {
    // It may be another browser's, or of a release with another form.
    const plain = cookies.open(sealed, contextOf(browser));
    const read = plain && attempt.safeParse(JSON.parse(plain.toString()));
    return read?.success === true ? [read.data] : [];
  };

  return {
    begin(ctx, fields) {
      const begun: Attempt = {
        ...fields,
        state: random(),
        nonce: random(),
        verifier: random(),
        startedAt: Math.floor(Date.now() / 1000),
      };
      const plain = Buffer.from(JSON.stringify(begun));
      cookies.set(ctx, plain, contextOf(browsers.current(ctx)), ATTEMPT_SECONDS * 1000);
      return begun;
    },
    async take(ctx, provider, state) {
      const sealed = cookies.read(ctx);
      const received = sealed === undefined ? [] : browsers.received(ctx);
      const [found] = received.flatMap((browser) => open(sealed ?? '', browser));
      if (found === undefined || found.state !== state || found.provider !== provider) {
        return { fault: 'other_browser' };
      }
      cookies.delete(ctx);
      const left = found.startedAt + ATTEMPT_SECONDS - Date.now() / 1000;
      if (left <= 0) return { fault: 'expired', attempt: found };
      // A copy of the cookie must not work again, nor another replica take it at the same time.
      const isFirst = await usedProofs.claim(CONTEXT, found.state, left);
      return isFirst ? found : { fault: 'used', attempt: found };
    },
  };
}

function contextOf(browser: string): string {
  return JSON.stringify([CONTEXT, browser]);
}

/** 256 bits. */
function random(): string {
  return randomBytes(32).toString('base64url');
}
