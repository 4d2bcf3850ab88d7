import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';

import { errorCode } from '../db/errors.js';

/** Secret settings, and documents. For each, `<name>_FILE` may name a file with the value. */
const SECRET_SETTINGS = [
  'DATABASE_URL',
  'SECRET_KEYS',
  'SMTP_URL',
  'ADMIN_PASSWORD',
  'SECRET_SCANNING_KEYS',
] as const;

/** Documents, which may have several lines. */
const DOCUMENTS: readonly string[] = ['SECRET_SCANNING_KEYS'];

const MAX_BYTES = 64 * 1024;

/** Common errors. Messages omit the path, which may be the secret itself in the wrong variable. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'names a file that does not exist',
  EACCES: 'names a file that this process may not read',
  EISDIR: 'names a folder instead of a file',
};

/** A fault of a file. The message follows the variable's name. */
class SecretFileError extends Error {}

export const SECRET_FILE_SETTINGS = SECRET_SETTINGS.map(fileSettingOf);

type Environment = Readonly<Record<string, string | undefined>>;

/** An environment with the secrets from files. */
export interface WithSecrets {
  readonly env: Environment;
  readonly faults: readonly string[];
}

/** The variable that names the file of a secret. */
export function fileSettingOf(name: string): string {
  return `${name}_FILE`;
}

/**
 * Reads the secrets of `<name>_FILE` variables. Trailing newlines are trimmed. `SECRET_KEYS` may be one per line.
 *
 * @param env variables without empty ones
 * @param root the base of relative paths
 * @returns the environment, and faults that never contain a value
 */
export function readSecretFiles(env: Environment, root: string): WithSecrets {
  const values: Record<string, string> = {};
  const faults: string[] = [];
  for (const name of SECRET_SETTINGS) {
    const setting = fileSettingOf(name);
    const file = env[setting];
    if (file === undefined) continue;
    if (env[name] !== undefined) {
      faults.push(`${name} and ${setting} are both set, only one of them may be`);
      continue;
    }
    try {
      values[name] = valueOf(name, readText(path.resolve(root, file)));
    } catch (error) {
      faults.push(`${setting} ${reasonOf(error)}`);
    }
  }
  return { env: { ...env, ...values }, faults };
}

function valueOf(name: string, text: string): string {
  const value = text.replace(/[\r\n]+$/, '');
  if (value === '') throw new SecretFileError('names an empty file');
  if (name === 'SECRET_KEYS') return value.replaceAll(/\r?\n/g, ',');
  if (/[\r\n]/.test(value) && !DOCUMENTS.includes(name))
    throw new SecretFileError('names a file of more than one line');
  return value;
}

/** Limited in size: the file may be an endless device or pipe. */
function readText(file: string): string {
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  const descriptor = openSync(file, 'r');
  let length = 0;
  try {
    for (let read = -1; read !== 0; length += read) {
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
    }
  } finally {
    closeSync(descriptor);
  }
  if (length > MAX_BYTES) throw new SecretFileError('names a file of more than 64 KiB');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
  } catch {
    throw new SecretFileError('names a file that is not UTF-8 text');
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof SecretFileError) return error.message;
  const code = errorCode(error) ?? 'unknown reason';
  return REASONS[code] ?? `names a file that cannot be read (${code})`;
}
