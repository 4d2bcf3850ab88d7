import { readdirSync, readFileSync } from 'node:fs';

import { Eta } from 'eta';

import { subjectOf, type ComposableMail } from './messages.js';

/** Beside `src`, both in the sources and in a build. */
const VIEWS = new URL('../../views/mail/', import.meta.url);

/** The parts of a mail. */
export interface ComposedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Writes a mail from its templates. */
export type ComposeMail = (mail: ComposableMail) => ComposedMail;

/**
 * Compiles all templates at start: `<kind>.txt.eta` and `<kind>.html.eta`, and their layouts.
 *
 * @param site `brandName` is the product's name, `issuer` its origin
 * @throws Error if a template is malformed
 */
export function createComposer(site: {
  readonly brandName: string;
  readonly issuer: string;
}): ComposeMail {
  const html = new Eta({ autoEscape: true });
  const text = new Eta({ autoEscape: false, autoTrim: false });
  for (const file of readdirSync(VIEWS)) {
    const [name = '', form] = file.split('.');
    const template = readFileSync(new URL(file, VIEWS), 'utf8');
    (form === 'html' ? html : text).loadTemplate(`@${name}`, template);
  }
  const shown = { brandName: site.brandName, issuer: site.issuer };
  return ({ kind, data }) => {
    const subject = subjectOf(site.brandName, kind, data as never);
    const heading = headingOf(site.brandName, subject);
    const render = (eta: Eta) => {
      const body = eta.render(`@${kind}`, { ...data, ...shown });
      return eta.render('@layout', { ...shown, subject, heading, body });
    };
    return { subject, text: render(text), html: render(html) };
  };
}

/** The subject without the product's name, as a heading. */
function headingOf(brandName: string, subject: string): string {
  const text = subject.slice(brandName.length + 2);
  return text.charAt(0).toUpperCase() + text.slice(1);
}
