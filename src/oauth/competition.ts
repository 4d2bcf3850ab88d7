/** Tells which requests are just now exchanging the same code or refresh token. */
export interface Competition {
  /**
   * Takes part, until `leave` is called.
   * @param token anything that stands for the code or refresh token
   */
  join(token: string): Competitor;
}

export interface Competitor {
  /** Whether somebody else has taken part meanwhile. */
  hasMetOthers(): boolean;
  leave(): void;
}

/** Known within this process only: see `issuing.ts` for what is made of it. */
export function createCompetition(): Competition {
  const races = new Map<string, { present: number; seen: number }>();
  return {
    join(token) {
      const race = races.get(token) ?? { present: 0, seen: 0 };
      race.present += 1;
      race.seen += 1;
      races.set(token, race);
      return {
        hasMetOthers: () => race.seen > 1,
        leave() {
          race.present -= 1;
          if (race.present === 0) races.delete(token);
        },
      };
    },
  };
}
