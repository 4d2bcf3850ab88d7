import { z } from 'zod';

import { text } from '../http/validation.js';
import { type AnnotationValues, givenAnnotations } from './annotations.js';
import { Misuse } from './errors.js';
import { parseOption } from './parse-option.js';

/** The members that options set, for the service or the API that checks them. */

interface Named {
  readonly name: string | undefined;
}

export function givenTenant(
  values: AnnotationValues & Named & { readonly slug: string | undefined },
) {
  const { name, slug } = values;
  return { name, slug, ...givenAnnotations(values) };
}

/** @throws Misuse if nothing is changed */
export function givenTenantChange(
  values: AnnotationValues & Named & { readonly slug: string | undefined },
) {
  const { name, slug } = values;
  const given = {
    ...(name !== undefined && { name }),
    ...(slug !== undefined && { slug }),
    ...givenAnnotations(values),
  };
  return nonEmpty(given, 'Give --name, --slug, --external-id or --metadata.');
}

/** @throws Misuse that names the option */
export function givenAccount(values: Named & { readonly email: string }) {
  const { email, name } = values;
  return {
    email: parseOption('email', z.email('must be an email address'), email),
    name: name === undefined ? undefined : parseOption('name', text(100), name),
  };
}

/** @throws Misuse if nothing is changed */
export function givenSpaceChange(values: AnnotationValues & Named) {
  const { name } = values;
  const given = { ...(name !== undefined && { name }), ...givenAnnotations(values) };
  return nonEmpty(given, 'Give --name, --external-id or --metadata.');
}

export interface ResourceMembers {
  readonly scopes: string | undefined;
  readonly acceptsKeys: 'true' | 'false' | undefined;
  readonly dynamicClients: 'true' | 'false' | undefined;
}

export function givenResource({ scopes, acceptsKeys, dynamicClients }: ResourceMembers) {
  return {
    ...(scopes !== undefined && { scopes: scopes === 'all' ? null : listOf(scopes) }),
    ...(acceptsKeys !== undefined && { acceptsKeys: acceptsKeys === 'true' }),
    ...(dynamicClients !== undefined && { dynamicClients: dynamicClients === 'true' }),
  };
}

/** @throws Misuse if nothing is changed */
export function givenResourceChange(values: ResourceMembers & Named) {
  const { name } = values;
  const given = { ...(name !== undefined && { name }), ...givenResource(values) };
  return nonEmpty(given, 'Give --name, --scopes, --accepts-keys or --dynamic-clients.');
}

export interface KeyMembers extends AnnotationValues {
  readonly name: string;
  readonly scopes: string;
  readonly env: string | undefined;
  readonly kind: string | undefined;
  readonly space: readonly string[];
  readonly bind: readonly string[];
  readonly allowIp: readonly string[];
  readonly expiresIn: number | undefined;
  readonly rateLimit: number | undefined;
}

/** The time that many seconds from now, by the clock of the installation. */
export type TimeIn = (seconds: number) => Promise<string>;

export async function givenKey(values: KeyMembers, timeIn: TimeIn) {
  return {
    name: values.name,
    scopes: listOf(values.scopes),
    environment: values.env,
    kind: values.kind,
    spaces: listOrNull(values.space),
    bindings: listOrNull(values.bind.map(bindingOf)),
    allowedIps: listOrNull(values.allowIp),
    expiresAt: values.expiresIn === undefined ? null : await timeIn(values.expiresIn),
    rateLimitPerMinute: values.rateLimit ?? null,
    ...givenAnnotations(values),
  };
}

export interface KeyChanges extends AnnotationValues {
  readonly name: string | undefined;
  readonly allowIp: readonly string[];
  readonly expiresIn: number | 'never' | undefined;
  readonly rateLimit: number | 'default' | undefined;
}

/** @throws Misuse if nothing is changed */
export async function givenKeyChange(values: KeyChanges, timeIn: TimeIn) {
  const { name, allowIp, expiresIn, rateLimit } = values;
  const given = {
    ...(name !== undefined && { name }),
    ...(allowIp.length > 0 && { allowedIps: isAny(allowIp) ? null : allowIp }),
    ...(expiresIn !== undefined && {
      expiresAt: expiresIn === 'never' ? null : await timeIn(expiresIn),
    }),
    ...(rateLimit !== undefined && {
      rateLimitPerMinute: rateLimit === 'default' ? null : rateLimit,
    }),
    ...givenAnnotations(values),
  };
  return nonEmpty(
    given,
    'Give --name, --allow-ip, --expires-in, --rate-limit, --external-id or --metadata.',
  );
}

function nonEmpty<Given extends object>(given: Given, advice: string): Given {
  if (Object.keys(given).length === 0) throw new Misuse(advice);
  return given;
}

function listOf(scopes: string): readonly string[] {
  return scopes.split(/[\s,]+/).filter(Boolean);
}

function listOrNull<Item>(list: readonly Item[]): readonly Item[] | null {
  return list.length > 0 ? list : null;
}

function bindingOf(text: string): { type: string; id: string } {
  const [, type = '', id = ''] = /^([^:]+):(.+)$/.exec(text) ?? [];
  if (id === '') throw new Misuse('--bind must be a type and an id, such as contacts:42.');
  return { type, id };
}

/** @throws Misuse for "any" beside addresses */
function isAny(addresses: readonly string[]): boolean {
  if (!addresses.includes('any')) return false;
  if (addresses.length > 1) throw new Misuse('--allow-ip: "any" cannot be given with addresses.');
  return true;
}
