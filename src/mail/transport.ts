import type { Transporter } from 'nodemailer';

import type { ComposedMail } from './composer.js';
import type { MailServer, Mailbox } from './settings.js';

/** A mail that is ready to be sent. */
export interface ReadyMail extends ComposedMail {
  /** Becomes the Message-ID, so that a mail that is sent twice is recognised. */
  readonly id: string;
  readonly to: string;
}

/** The server refused this mail, and will refuse it again (RFC 5321 §4.2.1, 5yz). */
export class MailRefused extends Error {}

export interface MailTransport {
  /**
   * @throws MailRefused if the server refused the recipient or the message permanently
   * @throws Error if it may be accepted later
   */
  send(mail: ReadyMail): Promise<void>;
}

const CONNECT_WITHIN_MS = 10_000;
const IDLE_MS = 20_000;

/** Commands whose refusal is about one mail, not about the connection or the login. */
const OF_MAIL = ['RCPT TO', 'DATA'];

/** @param from the sender of all mails */
export function createMailTransport(server: MailServer, from: Mailbox): MailTransport {
  let transporter: Transporter | undefined;
  const host = from.address.slice(from.address.lastIndexOf('@') + 1);
  return {
    async send({ id, to, subject, text, html }) {
      try {
        transporter ??= await connectTo(server);
        await transporter.sendMail({
          messageId: `<${id}@${host}>`,
          from: { name: from.name, address: from.address },
          // An object is not parsed, so it stays one recipient.
          to: { name: '', address: to },
          subject,
          text,
          html,
          // RFC 3834 §5: automatic replies are not wanted.
          headers: { 'Auto-Submitted': 'auto-generated' },
        });
      } catch (error) {
        throw isRefusalOfMail(error)
          ? new MailRefused('the mail was refused', { cause: error })
          : error;
      }
    },
  };
}

async function connectTo(server: MailServer): Promise<Transporter> {
  // Loaded by the first mail: a server without SMTP_URL sends none, and a start need not wait for it.
  const { createTransport } = await import('nodemailer');
  return createTransport({
    ...server,
    connectionTimeout: CONNECT_WITHIN_MS,
    greetingTimeout: CONNECT_WITHIN_MS,
    socketTimeout: IDLE_MS,
    // Content comes from the templates only, never from a path or a URL.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

function isRefusalOfMail(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { responseCode, command } = error as { responseCode?: unknown; command?: unknown };
  return (
    typeof responseCode === 'number' && responseCode >= 500 && OF_MAIL.includes(String(command))
  );
}
