import { parseUrl } from '../../http/url.js';
import { Misuse } from '../errors.js';

/** A running server, and the key with which the command line calls its operator's API. */
export interface Connection {
  readonly origin: string;
  readonly key: string;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const MAX_KEY = 500;

/**
 * The server that the environment names (`GATEHOUSE_URL`, `GATEHOUSE_OPERATOR_KEY`).
 * @returns `undefined` if it names none: commands then work on the database
 * @throws Misuse for half of a connection, or an address to which the key must not be sent
 */
export function readConnection(env: Readonly<NodeJS.ProcessEnv>): Connection | undefined {
  const [address, key] = [given(env, 'GATEHOUSE_URL'), given(env, 'GATEHOUSE_OPERATOR_KEY')];
  if (address === undefined && key === undefined) return undefined;
  if (address === undefined) throw new Misuse('GATEHOUSE_OPERATOR_KEY needs GATEHOUSE_URL.');
  if (key === undefined) throw new Misuse('GATEHOUSE_URL needs GATEHOUSE_OPERATOR_KEY.');
  // The key is never quoted.
  if (key.length > MAX_KEY || !/^[\x21-\x7e]+$/.test(key)) {
    throw new Misuse('GATEHOUSE_OPERATOR_KEY must be an operator key, such as bwp_op_….');
  }
  return { origin: originOf(address), key };
}

function given(env: Readonly<NodeJS.ProcessEnv>, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

function originOf(address: string): string {
  const url = parseUrl(address);
  // Nothing but an origin: a user name, a query or a path would be lost.
  if (
    url === undefined ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.href !== `${url.origin}/`
  ) {
    throw new Misuse('GATEHOUSE_URL must be an origin, such as https://auth.example.com.');
  }
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    throw new Misuse('GATEHOUSE_URL must be https: the operator key would be sent in the clear.');
  }
  return url.origin;
}
