import { emailAddress } from '../http/email-address.js';
import { parseUrl } from '../http/url.js';

/** An SMTP server, from `SMTP_URL`. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte (`smtps:`). */
  readonly secure: boolean;
  /** Refuses to continue without STARTTLS. */
  readonly requireTLS: boolean;
  readonly ignoreTLS: boolean;
  readonly auth?: { readonly user: string; readonly pass: string };
}

/** An address with the name that is shown for it. */
export interface Mailbox {
  readonly name: string;
  readonly address: string;
}

const PORTS: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 };
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i;

/**
 * Reads `SMTP_URL`. Without TLS from the first byte, STARTTLS is required: a network attacker could remove the offer.
 * On this machine no TLS is used. `?starttls=optional` is for a relay on a trusted network.
 *
 * @throws Error whose message names the fault and never the URL, which contains a password
 */
export function parseMailServer(text: string): MailServer {
  const url = parseUrl(text);
  const port = url && PORTS[url.protocol];
  if (url === undefined || port === undefined || url.hostname === '') {
    throw new Error('must be a URL such as smtps://user:password@mail.example.com');
  }
  const names = [...url.searchParams.keys()];
  const starttls = url.searchParams.get('starttls');
  if (!['', '/'].includes(url.pathname) || names.some((name) => name !== 'starttls')) {
    throw new Error('must have no path and no parameter but starttls');
  }
  if (starttls !== null && starttls !== 'optional') {
    throw new Error('may only say starttls=optional, which sends mail without encryption');
  }
  const isHere = LOOPBACK.test(url.hostname);
  const secure = url.protocol === 'smtps:';
  const user = decodeURIComponent(url.username);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? port : Number(url.port),
    secure,
    requireTLS: !secure && !isHere && starttls === null,
    ignoreTLS: !secure && isHere,
    ...(user !== '' && { auth: { user, pass: decodeURIComponent(url.password) } }),
  };
}

const MAILBOX = /^(?:(?<name>[^<>"\p{Cc}]{1,100}?)\s*)?<(?<address>[^<>\s]+)>$/u;

/**
 * Reads `MAIL_FROM`: `address`, or `Name <address>`.
 * @returns `undefined` if it is neither
 */
export function parseMailbox(text: string): Mailbox | undefined {
  const parts = MAILBOX.exec(text.trim())?.groups;
  const address = emailAddress.safeParse(parts?.['address'] ?? text).data;
  return address === undefined ? undefined : { name: parts?.['name'] ?? '', address };
}
