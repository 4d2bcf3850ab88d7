import type { Context } from 'koa';

import { hostCookie } from './host-cookie.js';

/** Encrypts and decrypts a value that belongs to a context. */
export interface Sealer {
  seal(plain: Buffer, context: string): { readonly ciphertext: Buffer; readonly keyId: string };
  /** @throws Error for a value that was altered, is of another context, or whose key is not configured any more */
  open(sealed: { readonly ciphertext: Buffer; readonly keyId: string }, context: string): Buffer;
}

/** Values that the browser keeps for the server. Scripts and the user cannot read them. */
export interface SealedCookie {
  /** @returns false, and sets nothing, if browsers would not keep it */
  set(ctx: Context, plain: Buffer, context: string, forMs: number): boolean;
  /** The sealed text that the browser sent; `undefined` without one, or for one longer than any that is set. */
  read(ctx: Context): string | undefined;
  /** @returns `undefined` if the text was altered, is of another context, or its key is not configured any more */
  open(text: string, context: string): Buffer | undefined;
  delete(ctx: Context): void;
}

/** Browsers accept cookies of 4,096 bytes, with their names and attributes. */
const MAX_LENGTH = 3800;

interface Settings {
  readonly keyring: Sealer;
  readonly issuer: string;
  /** The end of the cookie's name. */
  readonly suffix: string;
}

export function createSealedCookie({ keyring, issuer, suffix }: Settings): SealedCookie {
  const { name, options } = hostCookie(issuer, suffix);

  return {
    set(ctx, plain, context, forMs) {
      if (plain.length > MAX_LENGTH) return false;
      const { ciphertext, keyId } = keyring.seal(plain, context);
      const text = `${keyId}.${ciphertext.toString('base64url')}`;
      if (text.length > MAX_LENGTH) return false;
      ctx.cookies.set(name, text, { ...options, maxAge: forMs });
      return true;
    },
    read(ctx) {
      const text = ctx.cookies.get(name, { signed: false });
      return text === undefined || text.length > MAX_LENGTH ? undefined : text;
    },
    open(text, context) {
      const [keyId = '', sealed = ''] = text.split('.');
      try {
        return keyring.open({ ciphertext: Buffer.from(sealed, 'base64url'), keyId }, context);
      } catch {
        return undefined;
      }
    },
    delete: (ctx) => void ctx.cookies.set(name, null, options),
  };
}
