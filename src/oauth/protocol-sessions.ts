/** A browser's session as the library keeps it. */
export type SessionPayload = Readonly<Record<string, unknown>>;

export interface FoundSession {
  readonly payload: SessionPayload;
  readonly remainingSeconds: number;
}

/** Where the library's sessions are kept. */
export interface ProtocolSessions {
  /** @param payload with the `uid` that stays the session's name when its secret is renewed */
  save(secret: string, payload: SessionPayload, seconds: number): Promise<void>;
  findBySecret(secret: string): Promise<FoundSession | undefined>;
  findById(id: string): Promise<FoundSession | undefined>;
  destroy(secret: string): Promise<void>;
}
