import type { ConnectionOptions } from 'node:tls';
import { readFileSync } from 'node:fs';

import { errorCode } from './errors.js';

/** One server of the database. An absent member has the driver's default. */
export interface Host {
  readonly host: string | undefined;
  readonly port: number | undefined;
}

/** A parsed `DATABASE_URL`. An absent member has the driver's default. */
export interface DatabaseAddress {
  /** At least one, in the order in which they are tried. */
  readonly hosts: readonly Host[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  /** `false`: no TLS. */
  readonly ssl: ConnectionOptions | false | undefined;
  readonly sslnegotiation: 'postgres' | 'direct' | undefined;
  readonly channelBinding: boolean;
  /** Settings for the server's command line, such as `-c work_mem=8MB`. */
  readonly options: string | undefined;
  readonly applicationName: string | undefined;
}

/** The URL cannot be used. The message follows the name of the variable: `must be …`. */
class DatabaseUrlError extends Error {}

/** Supported parameters. */
const SUPPORTED = words(`
  host port user password dbname database options application_name
  sslmode ssl sslrootcert sslcert sslkey sslpassword sslnegotiation
  target_session_attrs channel_binding`);

/** Parameters of libpq and the driver without effect here: timeouts and encoding are fixed, hosts are tried in order. */
const IGNORED = words(`
  connect_timeout fallback_application_name client_encoding load_balance_hosts
  keepalives keepalives_idle keepalives_interval keepalives_count
  tcp_user_timeout gssencmode sslcompression sslsni uselibpqcompat`);

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

const URL_FORM = /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

type Parameters = Readonly<Record<string, string | undefined>>;

/**
 * Reads a connection URI as libpq does: several hosts, host and port also as parameters, sockets, TLS.
 *
 * @throws DatabaseUrlError if it is malformed or uses an unsupported parameter
 */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const match = URL_FORM.exec(text);
  if (match === null) throw new DatabaseUrlError('must be a postgres:// URL');
  const [, credentials = '', authority = '', path = '', query = ''] = match;
  const parameters: Parameters = Object.fromEntries(new URLSearchParams(query));
  const known = new Set([...SUPPORTED, ...IGNORED]);
  const unknown = Object.keys(parameters).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new DatabaseUrlError(`must not have the parameters ${unknown.join(', ')}`);
  }
  checkSessionAttributes(parameters['target_session_attrs']);
  const colon = credentials.indexOf(':');
  const [user, password] =
    colon === -1
      ? [credentials, undefined]
      : [credentials.slice(0, colon), credentials.slice(colon + 1)];
  return {
    hosts: readHosts(authority, parameters),
    user: parameters['user'] ?? decode(user),
    password: parameters['password'] ?? decode(password),
    database: parameters['dbname'] ?? parameters['database'] ?? decode(path),
    ssl: readSsl(parameters),
    sslnegotiation: readNegotiation(parameters['sslnegotiation']),
    // The driver cannot enforce `require`. It uses channel binding wherever the server offers it.
    channelBinding: ['prefer', 'require'].includes(parameters['channel_binding'] ?? ''),
    options: parameters['options'],
    applicationName: parameters['application_name'],
  };
}

/** Every session is with the primary, so `any` is equivalent to `primary`. Values for a standby are refused. */
function checkSessionAttributes(wanted: string | undefined): void {
  if (wanted === undefined || ['any', 'read-write', 'primary'].includes(wanted)) return;
  throw new DatabaseUrlError('must have target_session_attrs read-write: the primary is needed');
}

function readHosts(authority: string, parameters: Parameters): readonly Host[] {
  const entries = authority.split(',').map((entry) => {
    const [, bracketed, plain, port] =
      /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(entry.trim()) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined)
      throw new DatabaseUrlError('must have hosts such as db1:5432, separated by commas');
    return { host: decode(host), port: readPort(port) };
  });
  const hosts = parameters['host']?.split(',') ?? entries.map(({ host }) => host ?? '');
  const ports = parameters['port']?.split(',').map(readPort) ?? entries.map(({ port }) => port);
  if (ports.length !== 1 && ports.length !== hosts.length) {
    throw new DatabaseUrlError('must have one port, or as many as hosts');
  }
  return hosts.map((host, index) => ({
    host: host.trim() || undefined,
    port: ports.length === 1 ? ports[0] : ports[index],
  }));
}

function readPort(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new DatabaseUrlError('must have ports from 1 to 65535');
}

/**
 * Implements libpq's modes. `require` encrypts without verification, or is `verify-ca` if a root certificate is
 * given. `prefer` is treated as `require`, without fallback to an unencrypted connection.
 */
function readSsl(parameters: Parameters): ConnectionOptions | false | undefined {
  const mode = parameters['sslmode'] ?? modeOf(parameters['ssl']);
  const files = ['sslrootcert', 'sslcert', 'sslkey'].filter((name) => parameters[name]);
  if (mode === undefined && files.length > 0) {
    throw new DatabaseUrlError(`must have sslmode for ${files[0]}`);
  }
  if (mode === undefined || mode === 'disable') return mode === 'disable' ? false : undefined;
  const root = parameters['sslrootcert'];
  const options: ConnectionOptions = {
    ...(root && root !== 'system' && { ca: readFile(root) }),
    ...(parameters['sslcert'] && { cert: readFile(parameters['sslcert']) }),
    ...(parameters['sslkey'] && { key: readFile(parameters['sslkey']) }),
    ...(parameters['sslpassword'] && { passphrase: parameters['sslpassword'] }),
  };
  switch (mode) {
    case 'no-verify':
      return { ...options, rejectUnauthorized: false };
    case 'prefer':
    case 'require':
      if (root === undefined) return { ...options, rejectUnauthorized: false };
      return root === 'system' ? options : withoutName(options);
    case 'verify-ca':
      if (root === undefined)
        throw new DatabaseUrlError('must have sslrootcert for sslmode=verify-ca');
      // Anybody can get a certificate of a public authority, so the host name is verified, as in libpq.
      return root === 'system' ? options : withoutName(options);
    case 'verify-full':
      return options;
    default:
      throw new DatabaseUrlError(
        'must have sslmode disable, prefer, require, verify-ca or verify-full',
      );
  }
}

function readNegotiation(text: string | undefined): DatabaseAddress['sslnegotiation'] {
  if (text === undefined || text === 'postgres' || text === 'direct') return text;
  throw new DatabaseUrlError('must have sslnegotiation postgres or direct');
}

/** Maps the driver's `ssl` parameter to an sslmode. `true` verifies everything. */
function modeOf(ssl: string | undefined): string | undefined {
  if (ssl === undefined) return undefined;
  const modes: Parameters = {
    1: 'verify-full',
    true: 'verify-full',
    0: 'disable',
    false: 'disable',
    'no-verify': 'no-verify',
  };
  return modes[ssl] ?? 'unknown';
}

function withoutName(options: ConnectionOptions): ConnectionOptions {
  return { ...options, checkServerIdentity: () => undefined };
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new DatabaseUrlError(
      `names a file that cannot be read: ${path} (${errorCode(error) ?? 'unknown reason'})`,
    );
  }
}

/** Decodes percent-encoding. A malformed text is returned unchanged, as the driver does. */
function decode(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
