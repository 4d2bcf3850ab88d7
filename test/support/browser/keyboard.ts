import type { Locator, Page } from 'playwright-core';

/** More presses of a key than any page needs. */
const MOST_PRESSES = 400;

/** Presses Tab until an element has the focus. */
export async function tabTo(target: Locator): Promise<void> {
  const page = target.page();
  await target.waitFor();
  for (let presses = 0; presses < MOST_PRESSES; presses++) {
    if (await isFocused(target)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${target.toString()}`);
}

/** Reaches a button or a link by Tab, and presses it. */
export async function pressByKey(target: Locator, key: 'Enter' | 'Space' = 'Enter'): Promise<void> {
  await tabTo(target);
  await target.page().keyboard.press(key);
}

/** Reaches a field by Tab, and types in place of what it holds. */
export async function typeByKey(target: Locator, text: string): Promise<void> {
  await tabTo(target);
  await target.page().keyboard.press('Control+a');
  await target.page().keyboard.type(text);
}

/** Reaches the group of a radio button by Tab, and chooses the button with the arrows. */
export async function chooseByKey(target: Locator): Promise<void> {
  const page = target.page();
  const name = await target.getAttribute('name');
  const isInGroup = `document.activeElement?.name === ${JSON.stringify(name)}`;
  for (let presses = 0; !(await page.evaluate<boolean>(isInGroup)); presses++) {
    if (presses > MOST_PRESSES) throw new Error(`Tab does not lead to the group ${name}`);
    await page.keyboard.press('Tab');
  }
  for (let presses = 0; !(await target.isChecked()); presses++) {
    if (presses > MOST_PRESSES) throw new Error(`the arrows do not lead to ${target.toString()}`);
    await page.keyboard.press(presses === 0 ? 'Space' : 'ArrowDown');
  }
}

export async function isFocused(target: Locator): Promise<boolean> {
  return (await target.and(target.page().locator(':focus')).count()) > 0;
}

/**
 * Faults that a person without a pointer would meet on a page: what Tab does not reach, a focus that cannot be seen or
 * is covered (WCAG 2.1.1, 2.1.2, 2.4.7, 2.4.11).
 *
 * @returns one line each
 */
export async function keyboardFaultsOf(page: Page): Promise<readonly string[]> {
  await page.evaluate(PREPARE);
  const faults: string[] = [];
  for (let presses = 0; presses < MOST_PRESSES; presses++) {
    await page.keyboard.press('Tab');
    const step = await page.evaluate<{ isEnd: boolean; faults: string[] }>(INSPECT);
    faults.push(...step.faults);
    if (step.isEnd) return [...faults, ...(await page.evaluate<string[]>(MISSED))];
  }
  return [...faults, 'Tab does not lead out of the page'];
}

/** The elements that Tab has to reach: of radio buttons with the same name one is enough. */
const PREPARE = `(() => {
  const selector = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) &&
    !element.closest('[inert]') && element.tabIndex >= 0;
  globalThis.waiting = new Set([...document.querySelectorAll(selector)]
    .filter((element) => !element.disabled && !element.matches(':disabled') && isShown(element)));
  globalThis.shown = (element) => element.outerHTML.replace(/\\s+/g, ' ').slice(0, 120);
  globalThis.first = undefined;
  document.activeElement?.blur?.();
  getSelection()?.removeAllRanges();
})()`;

const INSPECT = `(() => {
  const element = document.activeElement;
  if (element === globalThis.first) return { isEnd: true, faults: [] };
  // Behind the last element the browser's own controls have the focus, then the first element again.
  if (!element || element === document.body) return { isEnd: globalThis.first === undefined, faults: [] };
  globalThis.first ??= element;
  globalThis.waiting.delete(element);
  if (element.type === 'radio')
    for (const other of [...globalThis.waiting]) if (other.name === element.name) globalThis.waiting.delete(other);
  const faults = [];
  const isOutlined = (one) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(one);
    return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1;
  };
  // An input that is hidden behind its label shows the focus on the label.
  const shower = [element, element.closest('label'), element.nextElementSibling].find((one) => one && isOutlined(one));
  if (!shower) faults.push('the focus cannot be seen: ' + globalThis.shown(element));
  const { left, right, top, bottom } = (shower ?? element).getClientRects()[0] ?? (shower ?? element).getBoundingClientRect();
  const x = (Math.max(left, 0) + Math.min(right, innerWidth)) / 2;
  const y = (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2;
  const over = document.elementFromPoint(x, y);
  const isCovered = !over || !(over === shower || shower?.contains(over) || over.contains(element));
  if (shower && isCovered) faults.push('the focus is covered by ' + (over ? globalThis.shown(over) : 'the edge') + ': ' + globalThis.shown(element));
  return { isEnd: false, faults };
})()`;

const MISSED = `[...globalThis.waiting].map((element) => 'Tab does not reach ' + globalThis.shown(element))`;
