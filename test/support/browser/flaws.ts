import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

/** The rules of axe-core, to be run as an initial script: the policy of the pages admits no other way. */
export const AXE_SCRIPT = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);

const WIDTHS = [360, 768, 1280];

/** The ways in which a page is shown: three widths in light and dark, forced colours, and paper. */
const MEDIA = [
  { colorScheme: 'light', forcedColors: 'none', media: 'screen', widths: WIDTHS },
  { colorScheme: 'dark', forcedColors: 'none', media: 'screen', widths: WIDTHS },
  { colorScheme: 'dark', forcedColors: 'active', media: 'screen', widths: [360, 1280] },
  { colorScheme: 'light', forcedColors: 'none', media: 'print', widths: [768] },
] as const;

/**
 * Elements that reach beyond the page's edge, and violations of axe-core's rules, in every way of showing the page.
 *
 * @param page its context runs `AXE_SCRIPT`
 * @returns one line each
 */
export async function flawsOf(page: Page): Promise<readonly string[]> {
  const flaws: string[] = [];
  for (const { widths, ...media } of MEDIA) {
    await page.emulateMedia(media);
    for (const width of widths) {
      await page.setViewportSize({ width, height: 800 });
      const shown = `${Object.values(media).join(' ')} ${width}`;
      flaws.push(...(await currentFlawsOf(page)).map((flaw) => `${shown}: ${flaw}`));
    }
  }
  return flaws;
}

/** The same in the way in which it is shown at the moment. */
export async function currentFlawsOf(page: Page): Promise<readonly string[]> {
  return [...(await overflowOf(page)), ...(await violationsOf(page))];
}

/** The elements that make the page scroll sideways. */
function overflowOf(page: Page): Promise<readonly string[]> {
  return page.evaluate<string[]>(`(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    return [...document.body.querySelectorAll('*')]
      .filter((element) => element.getBoundingClientRect().right > root.clientWidth + 0.5)
      .map((element) => 'overflow of ' + element.outerHTML.slice(0, 120));
  })()`);
}

/** The violations of axe-core's rules, each with its first element. */
async function violationsOf(page: Page): Promise<readonly string[]> {
  const { violations } = await page.evaluate<Pick<AxeResults, 'violations'>>(
    `axe.run({ resultTypes: ['violations'] }).then(({ violations }) => ({ violations }))`,
  );
  return violations.map(({ id, nodes }) => {
    const [first] = nodes;
    return `${id} (${nodes.length}) ${first?.html.slice(0, 160)}: ${first?.failureSummary?.split('\n')[1]?.trim()}`;
  });
}
