import { passwordFault } from '../../accounts/password-policy.js';
import { HashingBusy } from '../../accounts/index.js';
import type { Form } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';

/** A new password from a form, and the faults of its fields. */
export interface TypedPassword {
  readonly password: string;
  readonly errors: Readonly<Partial<Record<'password' | 'repeated', string>>>;
}

export function readNewPassword(form: Form): TypedPassword {
  const password = form.get('password') ?? '';
  const fault = passwordFault(password);
  const isRepeated = password === form.get('repeated');
  return {
    password,
    errors: {
      ...(fault !== undefined && { password: `The password ${fault}.` }),
      ...(fault === undefined && !isRepeated && { repeated: 'The two passwords are different.' }),
    },
  };
}

/** @throws Problem `service_unavailable` if too many passwords wait to be hashed */
export async function hashingOrBusy<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof HashingBusy)) throw error;
    throw new Problem('service_unavailable', 'Many people are signing in right now. Try again.', {
      headers: { 'Retry-After': '5' },
      cause: error,
    });
  }
}
