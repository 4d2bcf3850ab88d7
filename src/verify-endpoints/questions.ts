import { ANY_PRINCIPAL } from '../credentials/index.js';
import { isAddress } from '../http/networks.js';
import { parseWith } from '../http/validation.js';
import { isScope, SCOPES, type Scope } from '../scopes/catalog.js';
import {
  LIMITS,
  METHOD,
  PRESENTATIONS,
  verifyRequest,
  type VerifyQuestion,
} from './verify-schema.js';

type Members = Readonly<Record<string, unknown>>;

/** The members that most questions have no others than. */
const PLAIN: ReadonlySet<string> = new Set([
  'credential',
  'presentation',
  'method',
  'address',
  'scopes',
  'cost',
]);

/**
 * Reads the questions of a body of `POST /verify`.
 *
 * @param body parsed JSON, untrusted
 * @throws Problem `validation_failed`
 */
export function readQuestions(body: unknown): readonly VerifyQuestion[] {
  return readPlainQuestions(body) ?? parseWith(verifyRequest, body).credentials;
}

/**
 * Reads a body of `POST /verify` whose questions have the most usual members only. The result is that of the schema.
 * perf: the schema takes longer than all other reading of a body together (decision 23).
 *
 * @param body parsed JSON, untrusted
 * @returns `undefined` for every other body, valid or not: the schema decides
 */
export function readPlainQuestions(body: unknown): readonly VerifyQuestion[] | undefined {
  if (!isObject(body) || Object.keys(body).length !== 1) return undefined;
  const { credentials } = body;
  if (!isList(credentials, LIMITS.credentials) || credentials.length === 0) return undefined;
  const questions: VerifyQuestion[] = [];
  for (const value of credentials) {
    const question = readPlainQuestion(value);
    if (question === undefined) return undefined;
    questions.push(question);
  }
  return questions;
}

function readPlainQuestion(value: unknown): VerifyQuestion | undefined {
  if (!isObject(value)) return undefined;
  for (const name in value) if (!PLAIN.has(name)) return undefined;
  const { credential, presentation = 'bearer', method = 'GET', address, scopes = [] } = value;
  const { cost = 1 } = value;
  const isOfRequest = isPresentation(presentation) && isMethod(method) && isAddressOrNone(address);
  if (!isOfRequest || !isCredential(credential)) return undefined;
  if (!isListOfScopes(scopes) || !isCost(cost)) return undefined;
  return {
    credential,
    presentation,
    method,
    address,
    scopes,
    principals: EVERY_PRINCIPAL,
    cost,
    requests: 1,
  };
}

const EVERY_PRINCIPAL = [...ANY_PRINCIPAL];

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isList = (value: unknown, max: number): value is readonly unknown[] =>
  Array.isArray(value) && value.length <= max;

const isCredential = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= LIMITS.credential;

const isPresentation = (value: unknown): value is VerifyQuestion['presentation'] =>
  value === 'bearer' || PRESENTATIONS.some((one) => one === value);

const isMethod = (value: unknown): value is string =>
  value === 'GET' || (typeof value === 'string' && METHOD.test(value));

const isAddressOrNone = (value: unknown): value is string | undefined =>
  value === undefined || (typeof value === 'string' && isAddress(value));

const isListOfScopes = (value: unknown): value is Scope[] =>
  isList(value, SCOPES.length) && value.every((one) => typeof one === 'string' && isScope(one));

const isCost = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LIMITS.cost;
