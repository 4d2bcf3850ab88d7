// Writes every page of the product in every state as images: npm run screenshots -- <folder> [part of a name]
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const [folder, only = ''] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Name a folder for the images: npm run screenshots -- <folder> [part of a name]');
  process.exit(2);
}
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
