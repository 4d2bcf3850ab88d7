import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { EntityManager } from 'typeorm';

import type { Keyring } from '../credentials/index.js';
import type { BackgroundWork } from '../db/background-work.js';
import { createComposer } from './composer.js';
import type { ComposableMail, OutgoingMail } from './messages.js';
import { createOutbox, type ClaimedMail } from './outbox.js';
import type { MailServer, Mailbox } from './settings.js';
import { createMailTransport, MailRefused, type MailTransport } from './transport.js';

export type { OutgoingMail } from './messages.js';

/** Sends mail. A mail is queued in the transaction that causes it, and sent in the background. */
export interface Mail {
  /** Whether an SMTP server is configured. Otherwise mail is only written to the log, without its link's secret. */
  readonly isSent: boolean;
  /** Queues a mail. @param manager of the transaction that causes it */
  queue(manager: EntityManager, mail: OutgoingMail): Promise<void>;
  /** Sends the mail that is due, a bounded number. To be called every few seconds. Never throws. */
  deliver(): Promise<void>;
}

interface Dependencies {
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly log: Logger;
  readonly work: BackgroundWork;
  readonly register: Registry;
  readonly settings: MailSettings;
  /** Makes the link to set a new password; `undefined` if no account has the address. */
  readonly resetLinkFor: (email: string) => Promise<string | undefined>;
}

/** The part of the configuration that concerns mail, by the names of its environment variables. */
interface MailSettings {
  readonly BRAND_NAME: string;
  readonly ISSUER: string;
  readonly SMTP_URL?: MailServer | undefined;
  /** By default `no-reply` at the issuer's host. */
  readonly MAIL_FROM?: Mailbox | undefined;
}

/** Mails of one round. The rest follows in the next one. */
const MAX_A_ROUND = 100;

const OUTCOMES = ['sent', 'unsent', 'refused', 'expired', 'unknown', 'failed'] as const;

type Outcome = (typeof OUTCOMES)[number];

export function createMail(dependencies: Dependencies): Mail {
  const { manager, keyring, log, work, settings } = dependencies;
  const { BRAND_NAME: brandName, ISSUER: issuer, SMTP_URL: server } = settings;
  const from = settings.MAIL_FROM ?? {
    name: brandName.replaceAll(/[<>"\p{Cc}]/gu, ''),
    address: `no-reply@${new URL(issuer).hostname.replace(/^\[.*\]$/, 'localhost')}`,
  };
  const compose = createComposer({ brandName, issuer });
  const transport = server && createMailTransport(server, from);
  const outbox = createOutbox(manager, keyring);
  const countMail = createMailCounter(dependencies.register);
  let running: Promise<void> | undefined;

  const send = async ({ id, kind, mail, isOver }: ClaimedMail): Promise<Outcome> => {
    if (isOver || mail === undefined) {
      log.warn({ mail: id, kind }, 'a mail was not sent in time, and is dropped');
      return 'expired';
    }
    const complete = await withLink(mail, dependencies.resetLinkFor);
    if (complete === undefined) return 'unknown';
    const { to } = mail;
    if (transport !== undefined) return sendBy(transport, { id, to, ...compose(complete) }, log);
    const { text, subject } = compose(withoutSecret(complete));
    log.warn({ mail: id, kind, to, subject, text }, 'a mail is not sent: SMTP_URL is not set');
    return 'unsent';
  };
  const deliverDue = async () => {
    for (let count = 0; count < MAX_A_ROUND; count += 1) {
      const claimed = await outbox.claim();
      if (claimed === undefined) return;
      try {
        countMail(await send(claimed));
      } catch (error) {
        // The server could not be reached, or accepts nothing now: the others would fail too.
        countMail('failed');
        throw error;
      }
      await outbox.remove(claimed.id);
    }
  };

  return {
    isSent: transport !== undefined,
    queue: (transaction, mail) => createOutbox(transaction, keyring).add(mail),
    async deliver() {
      running ??= work
        .run('mail', deliverDue)
        .catch((error: unknown) =>
          log.warn({ err: error }, 'mail could not be sent; it is kept for the next try'),
        )
        .finally(() => (running = undefined));
      await running;
    },
  };
}

async function sendBy(
  by: MailTransport,
  mail: Parameters<MailTransport['send']>[0],
  log: Logger,
): Promise<Outcome> {
  try {
    await by.send(mail);
    return 'sent';
  } catch (error) {
    if (!(error instanceof MailRefused)) throw error;
    log.warn({ mail: mail.id, err: error }, 'the mail server refused a mail, which is dropped');
    return 'refused';
  }
}

async function withLink(
  mail: OutgoingMail,
  resetLinkFor: Dependencies['resetLinkFor'],
): Promise<ComposableMail | undefined> {
  if (mail.kind !== 'reset-password') return mail;
  const link = await resetLinkFor(mail.to);
  return link === undefined ? undefined : { kind: mail.kind, data: { link } };
}

/** The mail without the secret of its link: the log is read by others than its recipient. */
function withoutSecret(mail: ComposableMail): ComposableMail {
  if (!('link' in mail.data)) return mail;
  const { origin, pathname } = new URL(mail.data.link);
  const data = { ...mail.data, link: `${origin}${pathname}` };
  return { kind: mail.kind, data } as ComposableMail;
}

function createMailCounter(register: Registry): (outcome: Outcome) => void {
  const mails = new Counter({
    name: 'gatehouse_mails_total',
    help: 'Mails by outcome; failed: a try that is repeated later.',
    labelNames: ['outcome'] as const,
    registers: [register],
  });
  for (const outcome of OUTCOMES) mails.inc({ outcome }, 0);
  return (outcome) => mails.inc({ outcome });
}

export { deleteExpiredMail } from './outbox.js';
export { parseMailbox, parseMailServer } from './settings.js';
