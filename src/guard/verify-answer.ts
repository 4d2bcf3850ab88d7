import { UnavailableError, type Verdict } from './types.js';

/** The questions that a 422 names, with its message. */
export function invalidQuestions(text: string): ReadonlyMap<number, string> {
  const faults = new Map<number, string>();
  const { errors } = parseObject(text);
  for (const error of Array.isArray(errors) ? (errors as unknown[]) : []) {
    const { field, message } = asObject(error);
    const [, index, member] = /^credentials\.(\d+)\.(.*)$/s.exec(String(field)) ?? [];
    if (index !== undefined) faults.set(Number(index), `${member} ${String(message)}`);
  }
  return faults;
}

/** The detail of a problem, as the end of a message. Empty for any other answer. */
export function detailOf(text: string): string {
  const { detail } = parseObject(text);
  return typeof detail === 'string' ? `: ${detail}` : '';
}

/** @throws UnavailableError for any answer that is not one verdict for each question */
export function readVerdicts(text: string, count: number): readonly Verdict[] {
  const { verdicts } = asObject(parseObject(text)['data']);
  if (!Array.isArray(verdicts) || verdicts.length !== count || !verdicts.every(isVerdict)) {
    throw new UnavailableError('Gatehouse did not answer with verdicts');
  }
  return verdicts;
}

function isVerdict(value: unknown): value is Verdict {
  const { active, status, code, detail, scopes, subjects, position, principal } = asObject(value);
  if (active === false) {
    const isError = typeof status === 'number' && status >= 400 && status <= 599;
    return isError && typeof code === 'string' && typeof detail === 'string';
  }
  return (
    active === true &&
    Array.isArray(scopes) &&
    Array.isArray(subjects) &&
    typeof position === 'string' &&
    typeof asObject(principal)['kind'] === 'string'
  );
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return {};
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
