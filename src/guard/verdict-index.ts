import type { ActiveVerdict } from './types.js';

/** A member of the index. */
export interface Indexed {
  readonly digest: string;
  readonly verdict: Pick<ActiveVerdict, 'subjects'>;
  /** Whether it was found since it was last considered for removal. */
  isUsed: boolean;
}

/** Verdicts by their digest and by their subjects, up to a number. */
export interface VerdictIndex<Entry> {
  find(digest: string): Entry | undefined;
  /** Adds one whose digest is not there. */
  add(entry: Entry): void;
  remove(entry: Entry): void;
  about(subject: string): Iterable<Entry>;
  clear(): void;
}

export function createVerdictIndex<Entry extends Indexed>(maximum: number): VerdictIndex<Entry> {
  const entries = new Map<string, Entry>();
  const bySubject = new Map<string, Set<Entry>>();

  function remove(entry: Entry): void {
    if (entries.get(entry.digest) === entry) entries.delete(entry.digest);
    for (const subject of entry.verdict.subjects) {
      const others = bySubject.get(subject);
      others?.delete(entry);
      if (others?.size === 0) bySubject.delete(subject);
    }
  }

  /** Makes room for one. Those that were used since the last look are spared once. */
  function makeRoom(): void {
    for (const [digest, entry] of entries) {
      if (entries.size < maximum) return;
      if (entry.isUsed) {
        entry.isUsed = false;
        entries.delete(digest);
        entries.set(digest, entry);
      } else {
        remove(entry);
      }
    }
  }

  return {
    find(digest) {
      const entry = entries.get(digest);
      if (entry !== undefined) entry.isUsed = true;
      return entry;
    },
    add(entry) {
      makeRoom();
      entries.set(entry.digest, entry);
      for (const subject of new Set(entry.verdict.subjects)) {
        const others = bySubject.get(subject);
        if (others === undefined) bySubject.set(subject, new Set([entry]));
        else others.add(entry);
      }
    },
    remove,
    about: (subject) => bySubject.get(subject) ?? [],
    clear() {
      entries.clear();
      bySubject.clear();
    },
  };
}
