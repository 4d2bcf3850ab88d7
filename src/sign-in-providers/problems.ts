import type { AdmissionRefusal } from './admission.js';
import type { AttemptFault } from './attempts.js';
import type { ProviderFailure } from './provider-client.js';

/** The reason why a sign-in at a provider did not succeed. It is part of an address, and reveals no account. */
export type ProviderProblem = AdmissionRefusal | AttemptFault | ProviderFailure | 'throttled';

const WORDS: Readonly<Record<ProviderProblem, (name: string) => string>> = {
  down: (name) => `${name} cannot be reached right now. Try again in a moment.`,
  cancelled: (name) => `${name} did not sign you in. Try again, or choose another way.`,
  invalid: (name) => `The answer of ${name} could not be accepted. Try again.`,
  other_browser: () => 'That sign-in was not started in this browser. Start again.',
  expired: () => 'The sign-in took longer than 10 minutes. Start again.',
  used: () => 'That sign-in was used already. Start again.',
  other_session: () => 'You signed out meanwhile, or in with another account. Start again.',
  throttled: () => 'Too many sign-ins from your address. Try again in a minute.',
  not_linked: (name) =>
    `${name} is not connected to an account here. Ask your administrator for an invitation.`,
  other_identity: (name) =>
    `Another user of ${name} is connected to this account. Ask your administrator.`,
  other_account: (name) => `That user of ${name} does not belong to this account.`,
  taken: (name) => `That user of ${name} is connected to another account.`,
  no_role: (name) => `${name} gives you no role here. Ask your administrator.`,
  suspended: () => 'The organization is suspended. The operator of this server knows why.',
};

const STATUSES: Readonly<Partial<Record<ProviderProblem, number>>> = {
  down: 503,
  throttled: 429,
  invalid: 502,
  expired: 400,
  used: 400,
  other_browser: 400,
  other_session: 400,
};

/** A problem in words, with the status of the page that shows it. */
export interface ShownProblem {
  readonly text: string;
  readonly status: number;
}

/** @param name the provider's, as on its button */
export function showProblem(problem: ProviderProblem, name: string): ShownProblem {
  return { text: WORDS[problem](name), status: STATUSES[problem] ?? 403 };
}

/** Whether a text of an address is a problem. */
export function isProblem(text: string): text is ProviderProblem {
  return Object.hasOwn(WORDS, text);
}
