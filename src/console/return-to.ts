/** The target after a sign-in that came from no page. It leads to the first page that the role may open. */
export const HOME = '/settings';

const MAX_LENGTH = 500;

/**
 * The pages that one is sent back to, written as we write them: no dots, backslashes, doubled slashes or
 * percent signs in the path, so that no browser could read another path into it.
 */
const OUR_PAGES =
  /^\/(?:settings\/[\w-]+|device|invitation|confirm-email)(?:\/[\w-]+)*(?:\?(?:[\w.~&=+:-]|%[0-9A-Fa-f]{2})+)?$/;

/** @returns the path if it is one of our pages, otherwise `undefined` */
export function returnPath(text: string | undefined): string | undefined {
  return text !== undefined && text.length <= MAX_LENGTH && OUR_PAGES.test(text) ? text : undefined;
}

/** The login page that leads back to a path. */
export function loginFor(path: string): string {
  const back = returnPath(path);
  return back === undefined ? '/login' : `/login?return_to=${encodeURIComponent(back)}`;
}
