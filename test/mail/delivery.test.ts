import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { OutgoingMail } from '../../src/mail/messages.js';
import { createTestApp, type TestApp } from '../support/app/app.js';
import { createMailServer, type MailServer } from '../support/app/mail-server.js';

const LINK = 'http://localhost:3000/invitation?token=bwp_inv_secret';
const to = 'bob@example.com';
const invitation = (data: object = {}): OutgoingMail => ({
  kind: 'invitation',
  to,
  data: { link: LINK, tenant: 'Acme', inviter: 'Ann', role: 'viewer', ...data },
  lifetimeSeconds: 600,
});

describe('a queued mail', () => {
  /** The answer of the mail server to a recipient, and to a message. */
  const refusing: { rcpt?: number; data?: number } = {};
  let server: MailServer;
  let gatehouse: TestApp;
  const queue = (mail: OutgoingMail) =>
    gatehouse.app.mail.queue(gatehouse.dataSource.manager, mail);
  const waiting = () => gatehouse.database.query('SELECT * FROM outgoing_mail');
  beforeAll(async () => {
    server = await createMailServer({
      onRcptTo: (_address, _session, done) =>
        done(
          refusing.rcpt === undefined
            ? null
            : Object.assign(new Error('no'), { responseCode: refusing.rcpt }),
        ),
    });
    gatehouse = await createTestApp({ SMTP_URL: server.url, MAIL_FROM: 'Gate <gate@example.com>' });
  });
  afterAll(async () => {
    await gatehouse.close();
    await server.close();
  });
  beforeEach(async () => {
    delete refusing.rcpt;
    server.mails.length = 0;
    await gatehouse.database.query('DELETE FROM outgoing_mail');
    await gatehouse.database.shiftClock('0');
  });

  it('arrives as text and HTML, once, and is deleted', async () => {
    await queue(invitation());
    await Promise.all([gatehouse.app.mail.deliver(), gatehouse.app.mail.deliver()]);
    await gatehouse.app.mail.deliver();

    expect(server.mails).toHaveLength(1);
    const [mail] = server.mails;
    expect(mail).toMatchObject({
      from: 'gate@example.com',
      to: [to],
      subject: 'BuildWorkPro: you are invited to Acme',
      link: LINK,
    });
    expect(mail?.text).toContain('Ann invites you to join “Acme” at BuildWorkPro as viewer.');
    expect(mail?.html).toContain(`href="${LINK}"`);
    expect(mail?.head).toMatch(/^From: Gate <gate@example.com>$/m);
    expect(mail?.head).toMatch(/^Auto-Submitted: auto-generated$/m);
    expect(await waiting()).toEqual([]);
  });

  it('waits only if its transaction commits', async () => {
    const work = gatehouse.dataSource.transaction(async (manager) => {
      await gatehouse.app.mail.queue(manager, invitation());
      throw new Error('undone');
    });
    await expect(work).rejects.toThrow('undone');
    expect(await waiting()).toEqual([]);
  });

  it('is encrypted while it waits', async () => {
    await queue(invitation());
    const dump = await gatehouse.database.dump();
    expect(dump).not.toContain('bwp_inv_secret');
    expect(dump).not.toContain(to);
    await gatehouse.app.mail.deliver();
    expect(gatehouse.logged.join()).not.toContain('bwp_inv_secret');
  });

  it('gets no header, recipient or element from names', async () => {
    const inviter = '<b>Eve</b>';
    await queue(invitation({ tenant: 'A\r\nBcc: eve@example.com\r\n\r\n<b>x</b>', inviter }));
    await gatehouse.app.mail.deliver();
    const [mail] = server.mails;
    expect(mail?.to).toEqual([to]);
    expect(mail?.head).not.toMatch(/^Bcc/im);
    expect(mail?.subject).toBe('BuildWorkPro: you are invited to A Bcc: eve@example.com <b>x</b>');
    expect(mail?.html).not.toContain('<b>');
    expect(mail?.html).toContain(
      'You are invited to A Bcc: eve@example.com &lt;b&gt;x&lt;/b&gt;</h1>',
    );
    expect(mail?.text).toContain(inviter);
  });

  it('goes to one address, whatever the address holds', async () => {
    await queue({ ...invitation(), to: '"a,eve@example.com"@example.com' });
    await gatehouse.app.mail.deliver();
    for (const mail of server.mails) expect(mail.to).not.toContain('eve@example.com');
  });

  it('is tried again after a temporary refusal, and arrives once', async () => {
    await queue(invitation());
    refusing.rcpt = 451;
    await gatehouse.app.mail.deliver();
    delete refusing.rcpt;
    await gatehouse.app.mail.deliver();
    expect(server.mails).toHaveLength(0);
    await gatehouse.database.shiftClock('130 seconds');
    await gatehouse.app.mail.deliver();
    await gatehouse.app.mail.deliver();
    expect(server.mails).toHaveLength(1);
  });

  it('is dropped after a permanent refusal, and the next one is sent', async () => {
    await queue(invitation());
    refusing.rcpt = 550;
    await gatehouse.app.mail.deliver();
    expect(await waiting()).toEqual([]);
    expect(gatehouse.logged.join()).toContain('the mail server refused a mail');
  });

  it('is dropped when its link has expired', async () => {
    await queue(invitation());
    await gatehouse.database.shiftClock('11 minutes');
    await gatehouse.app.mail.deliver();
    expect(server.mails).toHaveLength(0);
    expect(await waiting()).toEqual([]);
  });
});

describe('without SMTP_URL', () => {
  it('a mail is shown in the log, without the secret of its link', async () => {
    const gatehouse = await createTestApp();
    await gatehouse.app.mail.queue(gatehouse.dataSource.manager, {
      ...invitation(),
    });
    await gatehouse.app.mail.deliver();
    const line = gatehouse.logged.find((text) => text.includes('SMTP_URL is not set'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      to,
      subject: 'BuildWorkPro: you are invited to Acme',
      text: expect.stringContaining('http://localhost:3000/invitation\n'),
    });
    expect(line).not.toContain('secret');
    await gatehouse.close();
  });
});
