// Jest loads this file itself, before any transformation: it builds the program, and the rest of
// the setup with it.
import { build } from '../../../src/server/launch.mjs';

export default async function setup() {
  const folder = await build('test/support');
  const { setUp } = await import(`${folder}/test/support/jest/global-setup.js`);
  globalThis.tearDownTests = await setUp(folder);
}
