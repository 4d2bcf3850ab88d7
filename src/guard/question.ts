import { isIP } from 'node:net';

import type { Access } from './access.js';
import type { Settings } from './options.js';
import type { Found, HeaderLines, Presented } from './presented.js';
import { PRINCIPAL_KINDS, type Question } from './types.js';

/** The facts of a request, as its framework tells them. */
export interface Sent {
  readonly method: string;
  /** The target: path and query, as sent. */
  readonly target: string;
  readonly lines: HeaderLines;
  /** The client's address; `undefined` if it is unknown. */
  readonly address: string | undefined;
  /** The path parameter `id`. */
  readonly id?: unknown;
}

/** The bounds of a question. Gatehouse refuses longer members, and with them the whole request. */
const MAX_CREDENTIAL = 4096;
const MAX_PROOF = 8192;
const MAX_URL = 2048;
const MAX_NAME = 128;
/** Neither the id of a resource nor of a space, and not a proof. */
const NOTHING = '-';
/** The id of a resource that no credential can be bound to. */
const NO_RESOURCE = '*';

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

interface Asked<Request> {
  readonly request: Request;
  readonly sent: Sent;
  readonly rule: Access<Request> & Required<Pick<Access<Request>, 'principals'>>;
  readonly settings: Settings;
}

/**
 * Makes the question about a request. Texts that are too long are cut off: nothing that is valid has so many characters,
 * and one question must not spoil the others that travel with it.
 */
export function questionOf<Request>(
  { presented, spaces, proofs }: Found & { readonly presented: Presented },
  { request, sent, rule, settings }: Asked<Request>,
): Question {
  const { scopes, principals, resource } = rule;
  const { raw, by, publishableKey } = presented;
  const method = /^[A-Z-]{1,32}$/.test(sent.method) ? sent.method : 'OTHER';
  const address = addressOf(sent.address);
  const space = rule.space === undefined ? inHeader(spaces) : rule.space(request);
  const id = resource?.id === undefined ? sent.id : resource.id(request);
  return {
    credential: raw.slice(0, MAX_CREDENTIAL),
    ...(by !== 'bearer' && { presentation: by }),
    ...(publishableKey !== undefined && {
      publishableKey: publishableKey.slice(0, MAX_CREDENTIAL),
    }),
    ...(method !== 'GET' && { method }),
    ...(address !== undefined && { address }),
    ...(scopes.length > 0 && { scopes }),
    ...(principals.length < PRINCIPAL_KINDS.length && { principals }),
    ...(space !== undefined && { space: space.slice(0, MAX_NAME) || NOTHING }),
    ...(resource !== undefined && { resource: { type: resource.type, id: nameOf(id) } }),
    ...(by === 'dpop' && proofs.length > 0 && proofIn(proofs, sent, settings)),
    cost: rule.cost ?? (READING.has(method) ? 1 : 5),
  };
}

function proofIn(proofs: readonly string[], { target }: Sent, { origin }: Settings) {
  if (origin === undefined) return {};
  const url = origin + pathOf(target);
  const isUsable = url.length <= MAX_URL && URL.canParse(url);
  const proof = proofs.join(', ').slice(0, MAX_PROOF) || NOTHING;
  return { dpop: isUsable ? { proof, url } : { proof: NOTHING, url: origin } };
}

/** The path of a target in any form (RFC 9112 §3.2), without the query. */
function pathOf(target: string): string {
  if (target.startsWith('/')) return target.split('?', 1)[0] ?? '';
  return URL.canParse(target) ? new URL(target).pathname : '';
}

function inHeader(spaces: readonly string[]): string | undefined {
  const text = spaces.join(', ');
  return text === '' ? undefined : text;
}

function nameOf(id: unknown): string {
  return typeof id === 'string' && id.length > 0 && id.length <= MAX_NAME ? id : NO_RESOURCE;
}

/** An address as Gatehouse reads it; `undefined` if it cannot, so that allow-lists fail closed. */
function addressOf(text: string | undefined): string | undefined {
  const [address = ''] = (text ?? '').split('%', 1);
  // The deprecated form `::192.0.2.1` is read differently by implementations.
  return isIP(address) === 0 || /^::\d+\./.test(address) ? undefined : address;
}
