import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Context } from 'koa';

import { holdsCredential, type Keyring } from '../credentials/index.js';
import { parseForm, type Form } from '../http/body/form.js';

/**
 * Keeps a form that was submitted after its session had ended, until the same account has signed in again. The browser
 * keeps it, encrypted, in a cookie: nothing is stored here. Passwords and credentials are left out.
 */
export interface KeptForms {
  /**
   * Keeps a form of an account for an hour.
   * @param address the path and query to which it was submitted
   * @returns false if it is too long for a cookie
   */
  keep(ctx: Context, accountId: string, address: string, form: Form): boolean;
  /** Whether the browser has a kept form of any account. */
  has(ctx: Context): boolean;
  /** Takes the form that was kept for the account at this address. Any other one is deleted. */
  take(ctx: Context, accountId: string, address: string): Form | undefined;
}

const KEPT_MS = 3_600_000;
/** Browsers accept cookies of 4,096 bytes, with their names and attributes. */
const MAX_COOKIE = 3800;
const MAX_FORM_BYTES = 64 * 1024;

/** Fields that belong to the ended session, or to a person's memory. */
const LEFT_OUT = /^(?:csrf|handle)$|password|secret/i;

const contextOf = (accountId: string) => `kept form of ${accountId}`;

interface Dependencies {
  readonly keyring: Pick<Keyring, 'seal' | 'open'>;
  /** With https the cookie has the `__Host-` prefix, so that no other host of the domain can plant a form. */
  readonly issuer: string;
}

export function createKeptForms({ keyring, issuer }: Dependencies): KeptForms {
  const isSecure = issuer.startsWith('https://');
  const name = `${isSecure ? '__Host-' : ''}gatehouse_form`;
  const options = {
    httpOnly: true,
    overwrite: true,
    path: '/',
    sameSite: 'lax',
    secure: isSecure,
    signed: false,
  } as const;
  const read = (ctx: Context) => ctx.cookies.get(name, { signed: false });

  const open = (cookie: string, accountId: string): KeptForm | undefined => {
    const [keyId = '', text = ''] = cookie.split('.');
    try {
      const ciphertext = Buffer.from(text, 'base64url');
      const plain = keyring.open({ ciphertext, keyId }, contextOf(accountId));
      const json = inflateRawSync(plain, { maxOutputLength: 2 * MAX_FORM_BYTES }).toString();
      return JSON.parse(json) as KeptForm;
    } catch {
      // It is another account's, was altered, or its key is not configured any more.
      return undefined;
    }
  };

  return {
    keep(ctx, accountId, address, form) {
      const fields = new URLSearchParams(
        [...form].filter(([field, value]) => !LEFT_OUT.test(field) && !holdsCredential(value)),
      );
      const kept: KeptForm = { address, until: Date.now() + KEPT_MS, form: fields.toString() };
      const plain = deflateRawSync(JSON.stringify(kept));
      if (plain.length > MAX_COOKIE) return false;
      const { ciphertext, keyId } = keyring.seal(plain, contextOf(accountId));
      const cookie = `${keyId}.${ciphertext.toString('base64url')}`;
      if (cookie.length > MAX_COOKIE) return false;
      ctx.cookies.set(name, cookie, { ...options, maxAge: KEPT_MS });
      return true;
    },
    has: (ctx) => read(ctx) !== undefined,
    take(ctx, accountId, address) {
      const cookie = read(ctx);
      if (cookie === undefined) return undefined;
      ctx.cookies.set(name, null, options);
      const kept = open(cookie, accountId);
      if (kept === undefined || kept.address !== address || kept.until < Date.now())
        return undefined;
      return parseForm(Buffer.from(kept.form));
    },
  };
}

interface KeptForm {
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly form: string;
}
