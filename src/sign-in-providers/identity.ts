import { emailAddress } from '../http/email-address.js';
import { text } from '../http/validation.js';
import type { Role } from '../scopes/roles.js';
import { claimAt } from './claims.js';
import type { IdentityId } from './identity-links.js';
import type { Claims } from './provider-client.js';
import type { ProviderEntry } from './providers-document.js';

/** A user as a provider describes them, as far as the provider's entry believes it. */
export interface Identity extends IdentityId {
  readonly name: string | null;
  /** The address as the provider tells it, for display. */
  readonly email: string | null;
  /** The same, if it is verified and in a domain for which the provider is trusted. */
  readonly provenEmail: string | undefined;
  /** The role that the claims give; `undefined` if no value fits and there is no default. */
  readonly role: Role | undefined;
}

/** OIDC Core §2: ASCII, 255 characters. */
const SUBJECT = /^[\x20-\x7e]{1,255}$/;
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const MAX_VALUES = 1000;

const personName = text(100);

/** @returns `undefined` for a malformed subject */
export function readIdentity(entry: ProviderEntry, claims: Claims): Identity | undefined {
  if (!SUBJECT.test(claims.sub)) return undefined;
  const email = readEmail(claims['email']);
  const domain = email?.slice(email.lastIndexOf('@') + 1) ?? '';
  const isProven = isVerified(entry, claims) && entry.trustedForDomains.includes(domain);
  return {
    issuer: entry.issuer,
    subject: claims.sub,
    name: personName.safeParse(claims['name']).data ?? null,
    email: email ?? null,
    provenEmail: isProven ? email : undefined,
    role: readRole(entry, claims),
  };
}

/** Checked before letters are lowered: some foreign letters become ASCII (`K`, the Kelvin sign, becomes `k`). */
function readEmail(claim: unknown): string | undefined {
  if (typeof claim !== 'string' || !VISIBLE_ASCII.test(claim)) return undefined;
  return emailAddress.safeParse(claim).data;
}

/** A claim that the operator named may have other forms: Entra ID sends `xms_edov` as `true`, `1` or `"1"`. */
function isVerified({ emailVerifiedClaim: name }: ProviderEntry, claims: Claims): boolean {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  if (value === true) return true;
  return name !== 'email_verified' && [1, '1', 'true'].includes(value as string | number);
}

function readRole({ roleClaim, roles, defaultRole }: ProviderEntry, claims: Claims) {
  const claimed = roleClaim === undefined ? undefined : claimAt(claims, roleClaim);
  const values = [claimed].flat().slice(0, MAX_VALUES);
  return roles.find(({ value }) => values.includes(value))?.role ?? defaultRole;
}
