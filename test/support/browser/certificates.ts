import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** A certificate and its key, as PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority for one run of a test. */
export interface Authority {
  /** Its own certificate, for `sslrootcert`. */
  readonly certificate: string;
  /** Issues a certificate for a DNS name. */
  issue(name: string): Certificate;
}

/** Makes an authority with a new key. */
export function createAuthority(): Authority {
  const subject = 'Authority of a test';
  const { publicKey, privateKey } = newKeys();
  const isAuthority = extension('551d13', sequence(Buffer.from('0101ff', 'hex')), true);
  const issue = (name: string, holder: KeyObject, extensions: Buffer) =>
    sign({ issuer: subject, subject: name, holder, extensions }, privateKey);
  return {
    certificate: issue(subject, publicKey, isAuthority),
    issue(name) {
      const own = newKeys();
      const names = extension('551d11', sequence(tlv(0x82, Buffer.from(name))));
      return {
        certificate: issue(name, own.publicKey, names),
        key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      };
    },
  };
}

function newKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** ecdsa-with-SHA256 (RFC 5758 §3.2). */
const ALGORITHM = sequence(Buffer.from('06082a8648ce3d040302', 'hex'));

/** An X.509 version 3 certificate (RFC 5280 §4.1). */
function sign(
  content: { issuer: string; subject: string; holder: KeyObject; extensions: Buffer },
  key: KeyObject,
): string {
  const { issuer, subject, holder, extensions } = content;
  const signed = sequence(
    tlv(0xa0, Buffer.from('020102', 'hex')),
    tlv(0x02, Buffer.from([1, ...Buffer.from(subject).subarray(0, 8)])),
    ALGORITHM,
    nameOf(issuer),
    sequence(time('20200101000000Z'), time('20991231235959Z')),
    nameOf(subject),
    holder.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(extensions)),
  );
  const signature = createSign('sha256').update(signed).sign(key);
  const whole = sequence(signed, ALGORITHM, tlv(0x03, Buffer.concat([Buffer.of(0), signature])));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function nameOf(text: string): Buffer {
  const commonName = sequence(Buffer.from('0603550403', 'hex'), tlv(0x0c, Buffer.from(text)));
  return sequence(tlv(0x31, commonName));
}

function time(text: string): Buffer {
  return tlv(0x18, Buffer.from(text));
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? Buffer.from('0101ff', 'hex') : Buffer.alloc(0);
  return sequence(tlv(0x06, Buffer.from(id, 'hex')), critical, tlv(0x04, value));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

/** A value with its tag and length, by DER. */
function tlv(tag: number, value: Buffer): Buffer {
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), value]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), value]);
}
