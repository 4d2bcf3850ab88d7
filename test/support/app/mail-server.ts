import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

/** A mail as the server received it. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** The lines of the head, unfolded. */
  readonly head: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** The first link to the server in the text. */
  readonly link: string;
}

/** A real SMTP server within the test's process. */
export interface MailServer {
  /** For `SMTP_URL`. */
  readonly url: string;
  /** Mails in the order of their arrival. */
  readonly mails: ReceivedMail[];
  /** The mails to an address. */
  mailsTo(address: string): readonly ReceivedMail[];
  close(): Promise<void>;
}

export async function createMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    logger: false,
    onData(stream, { envelope }, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const raw = Buffer.concat(chunks).toString('latin1');
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
        mails.push({ from, to: envelope.rcptTo.map(({ address }) => address), ...readMail(raw) });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    mailsTo: (address) => mails.filter(({ to }) => to.includes(address)),
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

function readMail(raw: string): Omit<ReceivedMail, 'from' | 'to'> {
  const { head, body } = split(raw);
  const boundary = /boundary="([^"]+)"/.exec(head)?.[1] ?? 'none';
  const parts = body.split(`--${boundary}`).map((part) => split(part.replace(/^\r\n/, '')));
  const contentOf = (type: string) => {
    const part = parts.find((candidate) => candidate.head.includes(`text/${type}`));
    return part === undefined ? '' : decode(part.head, part.body);
  };
  const text = contentOf('plain');
  return {
    head,
    subject: decodeWords(/^Subject: (.*)$/m.exec(head)?.[1] ?? ''),
    text,
    html: contentOf('html'),
    link: /https?:\/\/\S+\/\S+/.exec(text)?.[0] ?? 'no link',
  };
}

function split(message: string) {
  const end = message.indexOf('\r\n\r\n');
  return {
    head: message.slice(0, end).replaceAll(/\r\n[ \t]+/g, ' '),
    body: message.slice(end + 4),
  };
}

function decode(head: string, body: string): string {
  if (/base64/i.test(head)) return Buffer.from(body, 'base64').toString();
  const bytes = /quoted-printable/i.test(head)
    ? quotedPrintable(body.replaceAll('=\r\n', ''))
    : body;
  return Buffer.from(bytes, 'latin1').toString();
}

function quotedPrintable(text: string): string {
  return text.replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** RFC 2047. */
function decodeWords(text: string): string {
  return text
    .replaceAll(/\?= =\?/g, '?==?')
    .replaceAll(/=\?utf-8\?([QB])\?([^?]*)\?=/gi, (_, kind: string, word: string) =>
      kind.toUpperCase() === 'B'
        ? Buffer.from(word, 'base64').toString()
        : Buffer.from(quotedPrintable(word.replaceAll('_', ' ')), 'latin1').toString(),
    );
}
