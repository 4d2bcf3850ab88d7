import { createCli, type CliResult } from '../app/cli.js';
import type { TestApp } from '../app/app.js';

/** A registered resource server, with its credential. */
export interface TestResourceServer {
  readonly id: string;
  readonly identifier: string;
  readonly credential: string;
  readonly bearer: { readonly Authorization: string };
}

/** Runs a `resources` command, and returns what it printed as JSON. */
export async function resourcesCommand(
  { database }: Pick<TestApp, 'database'>,
  ...words: readonly string[]
): Promise<CliResult & { readonly json: Record<string, unknown> }> {
  const result = await createCli(database)(['resources', ...words, '--json', '--yes']);
  const json = result.stdout === '' ? {} : (JSON.parse(result.stdout) as Record<string, unknown>);
  return { ...result, json };
}

export async function addResourceServer(
  gatehouse: Pick<TestApp, 'database'>,
  identifier: string,
  ...options: readonly string[]
): Promise<TestResourceServer> {
  const name = options.includes('--name') ? [] : ['--name', 'Files API'];
  const result = await resourcesCommand(gatehouse, 'add', identifier, ...name, ...options);
  if (result.code !== 0) throw new Error(`not added: ${result.stderr}`);
  const { id, credential } = result.json as { id: string; credential: string };
  return { id, identifier, credential, bearer: { Authorization: `Bearer ${credential}` } };
}
