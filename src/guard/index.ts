/** `@gatehouse/guard`: judges the credentials that a Node service receives. */

export type { Access } from './access.js';
export type { Refusal } from './answers.js';
export type { Auth } from './auth.js';
export type { Admission, Gate } from './gate.js';
export { createGuard, type Guard } from './guard.js';
export type { Freshness, GuardOptions } from './options.js';
export {
  QuestionError,
  UnavailableError,
  type ActiveVerdict,
  type Limits,
  type Presentation,
  type PrincipalKind,
  type Question,
  type RefusedVerdict,
  type Usage,
  type Verdict,
} from './types.js';
export type { Sent } from './question.js';
export type { Judged } from './verdict-source.js';
