import { errorText } from '../../domain/error-text.ts';
import { RegistryError } from '../../domain/errors.ts';
import { isMisdirected } from '../../http/loopback.ts';
import type { Handler, Incoming, Reply } from '../../http/reply.ts';
import type { Clock } from '../../ports/clock.ts';

/** One thing that must be so. Throws, or rejects, with a message that says what is not; never asks an upstream. */
export interface HealthCheck {
  /** As `?exclude=` and `?verbose` name it. */
  readonly name: string;
  readonly check: (signal: AbortSignal) => void | Promise<void>;
}

export interface HealthParts {
  /** The process and its event loop. */
  readonly live: readonly HealthCheck[];
  /** Whether pulls can be served: an upstream's outage and a full disk are no reason. */
  readonly ready: readonly HealthCheck[];
  readonly startup: readonly HealthCheck[];
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly clock: Clock;
}

const misdirected =
  'from this machine ask for localhost or an address; other names: publicUrl, and trustedProxies for a proxy\n';

/** A check that takes longer has failed. */
const checkMsMax = 2000;

/** `/livez`, `/readyz`, `/startupz` (`?verbose`, `?exclude=<name>`) and `/metrics` of the admin listener, which a foreign name that leads to loopback does not get (421). Never throws but what `metrics` does. */
export function createHealthHandler(parts: HealthParts): Handler {
  const probes = new Map([
    ['/livez', parts.live],
    ['/readyz', parts.ready],
    ['/startupz', parts.startup],
  ]);
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return {
        ...textReply(405, 'GET and HEAD only\n', 'health'),
        headers: { ...textHeaders, Allow: 'GET, HEAD' },
      };
    }
    const checks = probes.get(request.path);
    if (checks !== undefined) return probe(request, checks, parts.clock);
    if (request.path === '/metrics') {
      if (isMisdirected(request)) return textReply(421, misdirected, 'metrics');
      const { contentType, text } = await parts.metrics();
      return {
        status: 200,
        headers: { 'Content-Type': contentType, 'Cache-Control': 'no-store' },
        body: text,
        note: { route: 'metrics' },
      };
    }
    return textReply(404, 'here are /livez, /readyz, /startupz and /metrics\n', 'none');
  };
}

interface Finding {
  readonly name: string;
  /** Absent where all is well. */
  readonly problem?: string;
  readonly excluded?: true;
}

async function probe(
  request: Incoming,
  checks: readonly HealthCheck[],
  clock: Clock,
): Promise<Reply> {
  const parameters = new URLSearchParams(request.query);
  const excluded = new Set(parameters.getAll('exclude'));
  const findings = await Promise.all(
    checks.map(async (each): Promise<Finding> =>
      excluded.has(each.name)
        ? { name: each.name, excluded: true }
        : run(each, request.signal, clock),
    ),
  );
  const failed = findings.some(({ problem }) => problem !== undefined);
  const verbose = failed || parameters.has('verbose');
  const lines = verbose ? findings.map(describe) : [];
  return textReply(
    failed ? 503 : 200,
    [...lines, failed ? 'failed' : 'ok', ''].join('\n'),
    'health',
  );
}

async function run(
  { name, check }: HealthCheck,
  signal: AbortSignal,
  clock: Clock,
): Promise<Finding> {
  const late = Promise.withResolvers<never>();
  using _timer = clock.after(checkMsMax, () =>
    late.reject(new RegistryError('unavailable', `no answer within ${checkMsMax} ms`)),
  );
  try {
    await Promise.race([check(signal), late.promise]);
    return { name };
  } catch (error) {
    return { name, problem: errorText(error) };
  }
}

function describe({ name, problem, excluded }: Finding): string {
  if (excluded === true) return `[+] ${name} excluded`;
  return problem === undefined
    ? `[+] ${name} ok`
    : `[-] ${name} failed: ${problem.replaceAll(/\s+/g, ' ').slice(0, 500)}`;
}

const textHeaders: Readonly<Record<string, string>> = {
  'Content-Type': 'text/plain; charset=utf-8',
  'Cache-Control': 'no-store',
};

function textReply(status: number, body: string, route: string): Reply {
  return { status, headers: textHeaders, body, note: { route } };
}
