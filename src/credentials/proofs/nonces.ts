import type { Keyring } from '../secrets/keyring.js';

/** The server's nonces for proofs (RFC 9449 §8). All replicas with the same secret keys accept them. */
export interface ProofNonces {
  /** The current nonce, for the header `DPoP-Nonce`. */
  current(): string;
  /** Whether a nonce was made by any replica within the last minutes. */
  isCurrent(nonce: string): boolean;
}

/** A new nonce begins every minute. */
const SPAN_MS = 60_000;
/** Nonces of this many earlier minutes are accepted too. */
const SPANS_BEHIND = 3;
/** A replica whose clock is ahead may have made the nonce. */
const SPANS_AHEAD = 1;

/** The time for which a nonce is accepted at most, in seconds. A used proof is known for longer. */
export const MAX_NONCE_AGE = ((SPANS_BEHIND + SPANS_AHEAD + 1) * SPAN_MS) / 1000;

const FORM = /^(\d{1,12})\.([0-9a-f]{64})$/;

/** @param keyring signs a minute, so that nothing is stored */
export function createProofNonces({
  sign,
  isSigned,
}: Pick<Keyring, 'sign' | 'isSigned'>): ProofNonces {
  const signed = (span: number) => `dpop nonce ${span}`;
  const now = () => Math.floor(Date.now() / SPAN_MS);
  // perf: it changes once a minute.
  let made = { span: -1, nonce: '' };
  return {
    current() {
      const span = now();
      if (made.span !== span) made = { span, nonce: `${span}.${sign(signed(span))}` };
      return made.nonce;
    },
    isCurrent(nonce) {
      const [, digits, mac = ''] = FORM.exec(nonce) ?? [];
      const behind = now() - Number(digits);
      return (
        behind <= SPANS_BEHIND && behind >= -SPANS_AHEAD && isSigned(signed(Number(digits)), mac)
      );
    },
  };
}
