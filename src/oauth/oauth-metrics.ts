import { Counter, Gauge, type Registry } from 'prom-client';

const OUTCOMES = ['accepted', 'refused', 'throttled', 'busy'] as const;
const GRANT_TYPES = {
  code: 'authorization_code',
  device: 'device_code',
  refresh: 'refresh_token',
  key: 'client_credentials',
  subject: 'token-exchange',
} as const;
const TOKENS = ['authorization_code', 'refresh_token'] as const;

/** Counts sign-ins, issued tokens and token reuse. */
export interface OAuthMetrics {
  readonly countSignIn: (outcome: (typeof OUTCOMES)[number]) => void;
  /** @param source what was exchanged */
  readonly countIssued: (source: keyof typeof GRANT_TYPES) => void;
  /** @param token the token that was used a second time, so that its grant was ended */
  readonly countReuse: (token: (typeof TOKENS)[number]) => void;
}

/** @param hashes the passwords that are being hashed, or wait for it */
export function createOAuthMetrics(
  register: Registry,
  hashes: () => { readonly running: number; readonly waiting: number },
): OAuthMetrics {
  const registers = [register];
  const signIns = new Counter({
    name: 'gatehouse_sign_ins_total',
    help: 'Attempts to sign in, by outcome; busy: too many passwords waited to be hashed.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const issued = new Counter({
    name: 'gatehouse_oauth_tokens_issued_total',
    help: 'Token responses with new tokens, by grant type.',
    labelNames: ['grant_type'] as const,
    registers,
  });
  const reused = new Counter({
    name: 'gatehouse_oauth_token_reuse_total',
    help: 'Grants ended because a code or refresh token was used twice.',
    labelNames: ['token'] as const,
    registers,
  });
  const queue = new Gauge({
    name: 'gatehouse_password_hashes',
    help: 'Passwords that are being hashed, and those that wait for it.',
    labelNames: ['state'] as const,
    registers,
    collect() {
      const { running, waiting } = hashes();
      queue.set({ state: 'running' }, running);
      queue.set({ state: 'waiting' }, waiting);
    },
  });
  // From the start, so that the first increase is seen as one.
  for (const outcome of OUTCOMES) signIns.inc({ outcome }, 0);
  for (const grantType of Object.values(GRANT_TYPES)) issued.inc({ grant_type: grantType }, 0);
  for (const token of TOKENS) reused.inc({ token }, 0);
  return {
    countSignIn: (outcome) => signIns.inc({ outcome }),
    countIssued: (source) => issued.inc({ grant_type: GRANT_TYPES[source] }),
    countReuse: (token) => reused.inc({ token }),
  };
}
