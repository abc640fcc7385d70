import { errorText } from '../../domain/error-text.ts';
import type { UpstreamView, Listing } from '../../contract/admin-view.ts';
import type { Check } from '../command-context.ts';
import { failed, passed, warned } from './report.ts';
import { exchange } from '../server/http-exchange.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { readRunRecord } from '../server/run-record.ts';
import type { Terminal } from '../terminal/terminal.ts';

const healthMs = 5000;

/** The running server, where there is one: a server that is down is a warning. */
export async function inspectServer(
  options: ServerOptions & { readonly dataDir: string },
  terminal: Terminal,
): Promise<Check[]> {
  const signal = terminal.interrupted();
  const record = await readRunRecord(options.dataDir);
  if (record === undefined)
    return [
      warned(
        'is running',
        `no server runs on ${options.dataDir}`,
        'start it with breakwater serve',
      ),
    ];
  return [
    passed(`is running (pid ${record.pid}, ${record.listen})`),
    await inspectReadiness(record.adminListen, signal),
    ...(await inspectUpstreamStates(options, terminal)),
  ];
}

async function inspectReadiness(adminListen: string, signal: AbortSignal): Promise<Check> {
  const description = 'is ready';
  try {
    const answer = await exchange(
      { method: 'GET', url: new URL('/readyz', adminListen), headers: {} },
      AbortSignal.any([signal, AbortSignal.timeout(healthMs)]),
    );
    if (answer.status === 200) return passed(description);
    return failed(description, `/readyz answered ${answer.status}: ${answer.text.slice(0, 200)}`);
  } catch (error) {
    signal.throwIfAborted();
    return failed(description, `${adminListen}/readyz: ${errorText(error)}`);
  }
}

/** What the server itself has seen of its upstreams: breakers and limits that a fresh look cannot know. */
async function inspectUpstreamStates(options: ServerOptions, terminal: Terminal): Promise<Check[]> {
  const description = 'answers its API';
  try {
    const request = { path: 'upstreams' };
    const { items } = await askServer<Listing<UpstreamView>>(request, options, terminal);
    return [passed(description), ...items.flatMap(checkUpstream)];
  } catch (error) {
    terminal.interrupted().throwIfAborted();
    return [failed(description, errorText(error))];
  }
}

function checkUpstream(view: UpstreamView): Check[] {
  const description = `${view.upstream} is usable`;
  if (view.state === 'breakerOpen' || view.state === 'failing')
    return [warned(description, view.lastFailure?.message ?? 'it fails')];
  if (view.state === 'rateLimited')
    return [
      warned(
        description,
        `it limits us until ${view.heldUntil}`,
        'a credential in its rule raises the limit',
      ),
    ];
  if (view.limit !== null && view.limit.remaining * 10 < view.limit.limit)
    return [warned(description, `${view.limit.remaining} of ${view.limit.limit} pulls are left`)];
  return [];
}
