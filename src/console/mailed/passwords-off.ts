import type { MailedDependencies } from './dependencies.js';
import type { PublicContext } from './link-cookie.js';

/** Makes the page in place of those that set a password, while passwords are switched off. */
export function createPasswordsOff({
  pages,
}: Pick<MailedDependencies, 'pages'>): (ctx: PublicContext) => void {
  return (ctx) =>
    pages.send(
      ctx,
      'dead-link',
      {
        title: 'Passwords are switched off',
        heading: 'Passwords are switched off',
        text: 'Nobody signs in with a password here. Sign in with your organization’s provider.',
        next: { text: 'Go to sign-in', href: '/login' },
      },
      { status: 403 },
    );
}
