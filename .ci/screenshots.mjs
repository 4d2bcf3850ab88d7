// Writes every page of the product in every state as images: npm run screenshots -- <folder> [parts of names]
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const [folder, ...parts] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Name a folder for the images: npm run screenshots -- <folder> [parts of names]');
  process.exit(2);
}
/** Parts of names, divided by commas. Those of the command line come before those of the environment. */
const only = parts.length > 0 ? parts.join(',') : (process.env.SCREENSHOTS_ONLY ?? '');
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    'node_modules/jest/bin/jest.js',
    '--runInBand',
    '--testMatch',
    '**/test/screenshots/screenshots.ts',
  ],
  {
    stdio: 'inherit',
    env: { ...process.env, SCREENSHOTS_FOLDER: resolve(folder), SCREENSHOTS_ONLY: only },
  },
);
process.exit(status ?? 1);
