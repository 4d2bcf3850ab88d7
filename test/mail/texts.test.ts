import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

const VIEWS = 'views/mail';
const TEXTS = readdirSync(VIEWS).filter(
  (file) => file.endsWith('.txt.eta') && !file.startsWith('layout'),
);

describe('the text of a mail', () => {
  it.each(TEXTS)('%s begins a sentence after the greeting', (file) => {
    expect(readFileSync(`${VIEWS}/${file}`, 'utf8')).toMatch(/^Hello,\n\n(?:[A-Z]|<%= it\.)/);
  });
});
