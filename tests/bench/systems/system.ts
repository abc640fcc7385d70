/** A server under measurement, running. */
export interface System {
  readonly name: string;
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** The path of a repository of the upstream here: `/v2/bench/x` or `/v2/docker.io/bench/x`. */
  path(repository: string, rest: string): string;
  stop(): Promise<void>;
}
