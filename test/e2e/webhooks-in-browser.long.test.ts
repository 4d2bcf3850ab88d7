import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { Webhook } from 'standardwebhooks';

import {
  createReceiver,
  createTestDelivery,
  type Receiver,
} from '../support/app/webhook-receiver.js';
import { copiedIn, useWalks, WITH_CLIPBOARD } from '../support/browser/walks.js';

const walks = useWalks({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
let receiver: Receiver;
beforeAll(async () => {
  receiver = await createReceiver();
});
afterAll(() => receiver.close());

const press = (page: Page, name: string) =>
  page.locator('main').getByRole('button', { name, exact: true }).first().click();
const notice = (page: Page) => page.locator('main').getByRole('status').first().innerText();
const text = (page: Page) => page.locator('main').innerText();

it.each([
  ['with', true],
  ['without', false],
])(
  'an administrator manages a webhook in a browser %s scripts',
  async (_name, javaScriptEnabled) => {
    receiver.received.length = 0;
    receiver.answer = undefined;
    const replica = createTestDelivery(walks.gatehouse);
    const page = await walks.open(walks.admin, '/settings/webhooks', {
      ...WITH_CLIPBOARD,
      javaScriptEnabled,
    });
    expect(await text(page)).toContain('No webhooks yet');
    await page.getByRole('link', { name: 'New webhook' }).first().click();

    await page.getByLabel('URL').fill('https://printer.local/hooks');
    await page.getByLabel('Events', { exact: true }).fill('api_key.*\nmember ship');
    await press(page, 'Create webhook');
    await page.locator('.fault').first().waitFor();
    expect(await page.getByLabel('URL').inputValue()).toBe('https://printer.local/hooks');
    await page.getByLabel('URL').fill(receiver.url('/browser'));
    await page.getByLabel('Events', { exact: true }).fill('api_key.*');
    await press(page, 'Create webhook');

    const secret = await page.locator('#secret').innerText();
    if (javaScriptEnabled) {
      await press(page, 'Copy');
      expect(await copiedIn(page)).toBe(secret);
    }
    await page.getByRole('link', { name: 'Done' }).click();
    await page.locator('tr.fresh').waitFor();
    await page.getByRole('link', { name: receiver.url('/browser') }).click();

    await press(page, 'Send a test event');
    expect(await notice(page)).toContain('A test event is on its way');
    await replica.deliver();
    await page.reload();
    expect(await page.locator('tbody tr').first().innerText()).toMatch(/webhook\.test[^]*204 in/);
    const [message] = receiver.received;
    const headers = message?.headers as Record<string, string>;
    expect(new Webhook(secret).verify(message?.body ?? '', headers)).toBeDefined();

    await page.getByRole('button', { name: /^Send again webhook\.test/ }).click();
    expect(await notice(page)).toContain('is sent again');
    await replica.deliver();
    expect(receiver.received).toHaveLength(2);
    await page
      .getByLabel('Since (UTC)')
      .fill(new Date(Date.now() - 3_600_000).toISOString().slice(0, 16));
    await page.locator('section', { hasText: 'After an outage' }).getByRole('button').click();
    expect(await notice(page)).toMatch(/sent again\.$/);

    await page.getByLabel('Events', { exact: true }).fill('Everything!');
    await press(page, 'Save');
    await page.locator('.fault').waitFor();
    // The form is far down on its page.
    if (javaScriptEnabled) await page.locator('#types:focus').waitFor();
    await page.getByLabel('Events', { exact: true }).fill('*');
    await press(page, 'Save');
    expect(await notice(page)).toContain('saved');
    await press(page, 'Rotate');
    expect(await page.locator('#secret').innerText()).not.toBe(secret);
    page.once('dialog', (dialog) => void dialog.accept());
    await page.getByRole('link', { name: 'Done' }).click();
    expect(await notice(page)).toContain('replaced');
    await press(page, 'Disable');
    expect(await text(page)).toContain('It was disabled by a person');
    await press(page, 'Enable');
    expect(await notice(page)).toContain('enabled');
    await page.getByRole('link', { name: 'Remove' }).click();
    await press(page, 'Remove webhook');
    expect(await notice(page)).toContain('removed');
    expect(await text(page)).toContain('No webhooks yet');
  },
  60_000,
);
