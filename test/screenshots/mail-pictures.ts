import { createComposer } from '../../src/mail/composer.js';
import type { ComposableMail } from '../../src/mail/messages.js';
import type { Picture } from './pictures.js';

const issuer = 'https://auth.example.com';
const compose = createComposer({ brandName: 'BuildWorkPro', issuer });
const link = `${issuer}/reset-password?token=bwp_lpw_${'a1B2'.repeat(12)}`;
const tenant = 'Acme Construction';

const MAILS: readonly ComposableMail[] = [
  {
    kind: 'invitation',
    data: { link, tenant, inviter: 'شركة البناء الحديثة 🏗️', role: 'Administrator' },
  },
  { kind: 'reset-password', data: { link } },
  { kind: 'confirm-email', data: { link, account: `ann.${'x'.repeat(80)}@example.com` } },
  { kind: 'email-changed', data: { email: 'ann@example.com' } },
  { kind: 'password-changed', data: { link } },
  {
    kind: 'sign-in-changed',
    data: { link, provider: 'Acme SSO', email: 'ann@acme.com', isLinked: true },
  },
  {
    kind: 'key-created',
    data: {
      link,
      kind: 'secret key',
      isPersonal: false,
      name: 'W'.repeat(80),
      maskedKey: 'bwp_live_…a1B2',
      tenant,
    },
  },
  { kind: 'app-connected', data: { link, app: 'Acme <b>Mobile</b>', tenant } },
];

const TEXT_PAGE = `<!doctype html><html lang="en"><title>Text of a mail</title>
  <main><h1>Text of a mail</h1><pre style="white-space: pre-wrap; overflow-wrap: anywhere"></pre></main></html>`;

/** The mails, as a program for mail shows their HTML, or else their text. */
export const MAIL_PICTURES: readonly Picture[] = MAILS.flatMap((mail) => [
  {
    name: `mail-${mail.kind}`,
    path: '',
    prepare: (page) => page.setContent(compose(mail).html),
  },
  {
    name: `mail-${mail.kind}-text`,
    path: '',
    async prepare(page) {
      await page.setContent(TEXT_PAGE);
      await page.locator('pre').evaluate((pre, text) => {
        pre.textContent = text;
      }, compose(mail).text);
    },
  },
]);
