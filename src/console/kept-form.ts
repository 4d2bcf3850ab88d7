import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Context } from 'koa';

import { holdsCredential } from '../credentials/index.js';
import { parseForm, type Form } from '../http/body/form.js';
import { createSealedCookie, type Sealer } from '../http/pages/sealed-cookie.js';

/**
 * Keeps a submitted form of an account until the user has signed in again. The browser keeps it, encrypted, in a cookie:
 * nothing is stored here. Passwords and credentials are not kept.
 */
export interface KeptForms {
  /**
   * Keeps a form of an account.
   * @param address the path and query to which it was submitted
   * @returns false if it cannot be kept
   */
  keep(ctx: Context, accountId: string, address: string, form: Form): boolean;
  /** Whether the browser has a kept form of any account. */
  has(ctx: Context): boolean;
  /** Takes the form that was kept for the account. Any other one is deleted. */
  take(ctx: Context, accountId: string): KeptForm | undefined;
}

/** A form, and the path and query to which it was submitted. */
interface KeptForm {
  readonly address: string;
  readonly form: Form;
}

const MAX_FORM_BYTES = 64 * 1024;

/** The reasons to keep a form. Each has a cookie of its own. */
const PURPOSES = {
  /** Its session had ended. It is shown again, without the fields that belong to the ended session. */
  ended: { cookie: 'form', context: 'kept form', leftOut: /^(?:csrf|handle)$/, keptMs: 3_600_000 },
  /** The user has to confirm at a provider. It is submitted as it was, and therefore kept whole. */
  confirmation: {
    cookie: 'confirmation',
    context: 'form to confirm',
    leftOut: /^(?:csrf$|confirm_)/,
    keptMs: 600_000,
  },
} as const;

const isSecret = (field: string, value: string) =>
  /password|secret/i.test(field) || holdsCredential(value);

interface Dependencies {
  readonly keyring: Sealer;
  readonly issuer: string;
}

export function createKeptForms(
  { keyring, issuer }: Dependencies,
  purpose: keyof typeof PURPOSES,
): KeptForms {
  const { cookie: suffix, context, leftOut, keptMs } = PURPOSES[purpose];
  const cookies = createSealedCookie({ keyring, issuer, suffix });
  const contextOf = (accountId: string) => `${context} of ${accountId}`;

  return {
    keep(ctx, accountId, address, form) {
      const fields = [...form].filter(([field]) => !leftOut.test(field));
      const harmless = fields.filter(([field, value]) => !isSecret(field, value));
      // Submitted with fewer fields, it could mean something else.
      if (purpose === 'confirmation' && harmless.length < fields.length) return false;
      const text = new URLSearchParams(harmless).toString();
      const kept: Kept = { address, until: Date.now() + keptMs, form: text };
      const plain = deflateRawSync(JSON.stringify(kept));
      return cookies.set(ctx, plain, contextOf(accountId), keptMs);
    },
    has: (ctx) => cookies.read(ctx) !== undefined,
    take(ctx, accountId) {
      const sealed = cookies.read(ctx);
      if (sealed === undefined) return undefined;
      cookies.delete(ctx);
      // It may be another account's.
      const plain = cookies.open(sealed, contextOf(accountId));
      const kept = plain && readKept(plain);
      if (kept === undefined || kept.until < Date.now()) return undefined;
      return { address: kept.address, form: parseForm(Buffer.from(kept.form)) };
    },
  };
}

/** The content of the cookie. */
interface Kept {
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly form: string;
}

function readKept(plain: Buffer): Kept | undefined {
  try {
    const json = inflateRawSync(plain, { maxOutputLength: 2 * MAX_FORM_BYTES }).toString();
    return JSON.parse(json) as Kept;
  } catch {
    // A form can grow when it is encoded again.
    return undefined;
  }
}
