import { randomBytes } from 'node:crypto';

import type { Signer } from '../http/pagination.js';
import { markOf } from './password.js';

/**
 * Browsers that have signed in to an account before. Each has a cookie of signed entries, one per account. The account is
 * part of the signed text only. An entry becomes invalid when the password changes.
 */
export interface KnownDevices {
  /** @returns the device's id if the cookie has a valid entry for the account */
  find(
    cookie: string | undefined,
    account: DeviceAccount | undefined,
    now: number,
  ): string | undefined;
  /**
   * Adds or renews the entry of an account after a sign-in.
   * @param device the id that `find` returned, if any
   * @returns the new value of the cookie
   */
  remember(
    cookie: string | undefined,
    account: DeviceAccount,
    { now, device }: { now: number; device: string | undefined },
  ): string;
}

type DeviceAccount = { readonly id: string; readonly passwordHash: string };

interface Entry {
  readonly device: string;
  /** Seconds since the epoch. */
  readonly expires: number;
  readonly mac: string;
}

export const DEVICE_LIFETIME_SECONDS = 90 * 86_400;

/** Maximum accounts per browser. */
const MAX_ENTRIES = 5;
const MAX_COOKIE = 1000;
const ENTRY = /^([\w-]{22})\.(\d{1,11})\.([0-9a-f]{64})$/;
const SEPARATOR = '~';

/** Stands in for an account that does not exist, so that both cases take the same time. */
const NOBODY: DeviceAccount = { id: '', passwordHash: '' };

export function createKnownDevices(signer: Signer): KnownDevices {
  const signedText = ({ device, expires }: Omit<Entry, 'mac'>, account: DeviceAccount) =>
    JSON.stringify(['device', device, expires, account.id, markOf(account.passwordHash)]);

  return {
    find(cookie, account, now) {
      const good = read(cookie, now).filter((entry) =>
        signer.isSigned(signedText(entry, account ?? NOBODY), entry.mac),
      );
      return account === undefined ? undefined : good[0]?.device;
    },
    remember(cookie, account, { now, device = randomBytes(16).toString('base64url') }) {
      const unsigned = { device, expires: now + DEVICE_LIFETIME_SECONDS };
      const others = read(cookie, now).filter((entry) => entry.device !== device);
      return [{ ...unsigned, mac: signer.sign(signedText(unsigned, account)) }, ...others]
        .slice(0, MAX_ENTRIES)
        .map((entry) => `${entry.device}.${entry.expires}.${entry.mac}`)
        .join(SEPARATOR);
    },
  };
}

/** The entries that have not expired. Their signatures are not checked here. */
function read(cookie: string | undefined, now: number): readonly Entry[] {
  if (cookie === undefined || cookie.length > MAX_COOKIE) return [];
  return cookie
    .split(SEPARATOR, MAX_ENTRIES)
    .flatMap((text) => {
      const [, device, expires, mac] = ENTRY.exec(text) ?? [];
      if (device === undefined || expires === undefined || mac === undefined) return [];
      return [{ device, expires: Number(expires), mac }];
    })
    .filter(({ expires }) => expires > now);
}
