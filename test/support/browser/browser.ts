import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type LaunchOptions } from 'playwright-core';

import { testServer } from '../database/database.js';
import { codeOf } from '../app/until.js';

/** A real browser, and the end of it. */
export interface RealBrowser {
  readonly browser: Browser;
  close(): Promise<void>;
}

const { PATH = '' } = process.env;

/** Where a Chromium that is already installed may be. */
const INSTALLED: readonly LaunchOptions[] = [
  { channel: 'chromium' },
  { channel: 'chrome' },
  { executablePath: '/usr/bin/chromium' },
  { executablePath: '/usr/bin/chromium-browser' },
];

/**
 * Starts Chromium without a window: the one among our packages, which needs nothing of the system, or, where
 * that is for another platform, an installed one. The first suite of a run unpacks it for all of them.
 *
 * None of the package's own arguments: they turn off what is to be tested, the same-origin policy.
 *
 * @param args further arguments of Chromium
 */
export async function launchBrowser(args: readonly string[] = []): Promise<RealBrowser> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-chromium-'));
  const remove = () => rm(home, { recursive: true, force: true });
  try {
    const packaged = await findPackaged(home);
    const browser = await launchFirst([...packaged, ...INSTALLED], args);
    return {
      browser,
      async close() {
        await browser.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function launchFirst(
  candidates: readonly LaunchOptions[],
  args: readonly string[],
): Promise<Browser> {
  const failures: unknown[] = [];
  for (const candidate of candidates) {
    try {
      // As root there is no sandbox to be had.
      return await chromium.launch({ ...candidate, args: ['--no-sandbox', ...args] });
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, `no browser can be started: ${failures.join('; ')}`);
}

/** Makes the package unpack the libraries that a bare system lacks, as it does on AWS Lambda. */
const AS_ON_LAMBDA = { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' };

async function findPackaged(home: string): Promise<readonly LaunchOptions[]> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return [];
  const { scratch } = testServer();
  const folder = join(scratch, 'chromium');
  if (!existsSync(folder) && !(await unpack(folder))) return [];
  const fonts = join(home, 'fonts.conf');
  await writeFile(
    fonts,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
      <dir>${folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${home}/cache</cachedir>
    </fontconfig>`,
  );
  const libraries = join(folder, 'al2023', 'lib');
  return [
    {
      executablePath: join(folder, 'chromium'),
      env: {
        PATH,
        HOME: home,
        TMPDIR: home,
        FONTCONFIG_FILE: fonts,
        LD_LIBRARY_PATH: libraries,
      },
    },
  ];
}

/**
 * Unpacks into a folder that appears whole, for suites that start at the same time. It is done in a process of its own: the
 * package reads from the environment where to unpack.
 *
 * @returns whether the folder is there
 */
async function unpack(folder: string): Promise<boolean> {
  const script = fileURLToPath(new URL('./unpack-chromium.mjs', import.meta.url));
  const temporary = await mkdtemp(`${folder}-`);
  const child = spawn(process.execPath, [script], {
    env: { PATH, TMPDIR: temporary, ...AS_ON_LAMBDA },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) return false;
  try {
    await rename(temporary, folder);
  } catch (error) {
    // Another suite was faster.
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error;
  }
  return true;
}
