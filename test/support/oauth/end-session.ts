export const END_SESSION = '/api/v1/oauth/end-session';

/** An app's request to sign out. */
export function endSessionUrl(parameters: Readonly<Record<string, string>>): string {
  return `${END_SESSION}?${new URLSearchParams(parameters).toString()}`;
}
