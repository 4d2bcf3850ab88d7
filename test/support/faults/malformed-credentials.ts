import fc from 'fast-check';
import { Agent } from 'node:http';

import { KIND_BY_PREFIX } from '../../../src/credentials/kinds.js';
import { createSecretFormat } from '../../../src/credentials/secrets/format.js';
import { sendRaw, type RawRequest } from '../app/raw-http.js';

const AT_ONCE = 100;
const SEED = 20_261_120;

const format = createSecretFormat({ brand: 'bwp' });
const ALPHABET = Array.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');
const base62 = (length: number) =>
  fc.string({
    unit: fc.constantFrom(...ALPHABET),
    minLength: length,
    maxLength: length,
  });
const prefix = fc.constantFrom(...KIND_BY_PREFIX.keys());
/** Freshly minted, and therefore without a fault but those that are made into it. */
const genuine = prefix.map((name) => format.mint(name));
/** Text that HTTP admits in a header: beyond ASCII, and with tab as its one control character. */
const headerText = (maxLength: number) =>
  fc.string({
    unit: fc.integer({ min: 9, max: 255 }).map((code) => {
      const isAllowed = code === 9 || (code >= 32 && code !== 127);
      return String.fromCharCode(isAllowed ? code : 9);
    }),
    maxLength,
  });

const garbage: fc.Arbitrary<string> = fc.oneof(
  // Well formed but for the checksum.
  fc
    .tuple(prefix, base62(43), base62(6))
    .map(([name, secret, checksum]) => `bwp_${name}_${secret}${checksum}`),
  // One character of a genuine one altered, lost or doubled.
  fc.tuple(genuine, fc.nat(59), base62(1)).map(([text, at, replacement]) => {
    const altered = text.slice(0, at) + replacement + text.slice(at + 1);
    return altered === text ? `${text}0` : altered;
  }),
  fc.tuple(genuine, fc.nat(55)).map(([text, at]) => text.slice(0, at) + text.slice(at + 1)),
  fc.tuple(genuine, fc.nat(55)).map(([text, at]) => text.slice(0, at) + text.slice(at - 1)),
  // Another brand, another case, something around it, two in one.
  fc
    .tuple(fc.constantFrom('bw', 'bwpp', 'BWP', 'sk', 'ghp', ''), genuine)
    .map(([brand, text]) => brand + text.slice(3)),
  genuine.map((text) => text.toUpperCase()),
  genuine.map((text) => `"${text}"`),
  genuine.map((text) => `${text}${text}`),
  genuine.map((text) => `${text}.`),
  // No credential in any way.
  headerText(200),
  fc.string({ unit: fc.constantFrom('bwp', 'live', '_', "'", '%00', '$1', '\\'), maxLength: 20 }),
  fc.integer({ min: 1000, max: 4_000 }).map((length) => 'x'.repeat(length)),
  fc.integer({ min: 1000, max: 4_000 }).map((length) => `bwp_live_${'0'.repeat(length)}`),
);

const presentation: fc.Arbitrary<(text: string) => RawRequest> = fc.constantFrom(
  (text) => ({ path: '/api/v1/me', headers: [['Authorization', `Bearer ${text}`]] }),
  (text) => ({ path: '/api/v1/me', headers: [['Authorization', `Token ${text}`]] }),
  (text) => ({ path: '/api/v1/me', headers: [['Authorization', `DPoP ${text}`]] }),
  (text) => ({ path: '/api/v1/contacts', headers: [['Authorization', text]] }),
  (text) => ({ path: '/api/v1/contacts', headers: [['X-API-Key', text]] }),
  (text) => ({ path: '/api/v1/api-keys', headers: [['X-Bwp-Api-Token', text]] }),
  (text) => ({ path: `/api/v1/contacts?auth_token=${encodeURIComponent(text)}` }),
  (text) => ({ path: `/api/v1/me?auth_token=${escape(text)}%00%ff%` }),
  (text) => ({ method: 'POST', path: '/api/v1/contacts', headers: [['X-API-Key', text]] }),
  (text) => ({ method: 'DELETE', path: '/api/v1/contacts/1', headers: [['X-API-Key', text]] }),
);

/** Percent-encodes bytes rather than characters. */
function escape(text: string): string {
  return [...Buffer.from(text, 'latin1')]
    .map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
    .join('');
}

/**
 * Sends requests with malformed credentials, the same for the same number.
 * @returns how often each status was answered
 */
export async function sendMalformed(
  origin: string,
  count: number,
): Promise<Readonly<Record<number, number>>> {
  const requests = fc.sample(
    fc.tuple(garbage, presentation).map(([text, present]) => present(text)),
    { numRuns: count, seed: SEED },
  );
  const statuses: Record<number, number> = {};
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const pending = requests.values();
  const work = async () => {
    for (const request of pending) {
      const { status } = await sendRaw(origin, { ...request, agent });
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  agent.destroy();
  return statuses;
}
