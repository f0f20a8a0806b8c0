/** What was decided or done, and for whom: one line of the audit log. It never holds a secret, a body or a stream's id. */
export interface AuditEvent {
  /** What was asked for, in kebab case: `link`, `enrol`, `renew`, `revoke`, or the verb of a request: `connect`, `delete`. */
  readonly action: string;
  readonly outcome: 'allowed' | 'refused' | 'done' | 'failed';
  /** `operator/alice`, `edge/edge-1`; empty for the unauthenticated. */
  readonly principal: string;
  readonly edge?: string;
  readonly service?: string;
  /** Path at the service, without its query, or the resource that was written. */
  readonly path?: string;
  /** Code of the error that refused it, or that it failed with. */
  readonly code?: string;
  /** Why, for people. */
  readonly reason?: string;
  /** The rule of the policy that decided, as `POLICY#INDEX`, or the role. */
  readonly rule?: string;
  /** Address of the peer. */
  readonly remote?: string;
  readonly bytes?: number;
  readonly durationMs?: number;
}

/** Takes what happened; the time is the moment of the call. Never throws, never waits. */
export interface Audit {
  record(event: AuditEvent): void;
}
