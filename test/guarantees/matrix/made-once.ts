/**
 * Makes each thing once, and one after the other: they must not take the connections that requests need,
 * and those that are made in a browser share it.
 */
export function createOnce<Thing>(): (
  id: string,
  make: () => Promise<Thing> | Thing,
) => Promise<Thing> {
  const known = new Map<string, Promise<Thing>>();
  let last: Promise<unknown> = Promise.resolve();
  return (id, make) => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const made = last.then(make);
    known.set(id, made);
    last = made;
    return made;
  };
}
