/** Request parameters by name, unvalidated. */
export type Parameters = Readonly<Record<string, unknown>>;

/** A parameter's text; empty if it is absent or repeated. */
export function textOf(parameters: Parameters, name: string): string {
  const value = parameters[name];
  return typeof value === 'string' ? value : '';
}
