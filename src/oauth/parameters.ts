/** Parameters as the library keeps them: whatever was sent, by name. */
export type Parameters = Readonly<Record<string, unknown>>;

/** A parameter's text; empty if it is absent, or was not sent as one text. */
export function textOf(parameters: Parameters, name: string): string {
  const value = parameters[name];
  return typeof value === 'string' ? value : '';
}
