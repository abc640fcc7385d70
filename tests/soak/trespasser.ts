import { digestOf } from '../support/samples/digest.ts';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:http';
import type { Target } from './lying-upstream.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What was pushed and is closed to those who do not log in. */
export interface Secret extends Target {
  readonly repository: string;
  readonly bytes: Buffer;
}

export interface TrespassOptions {
  readonly port: number;
  /** Of the rule that leads to the lying upstream. */
  readonly liar: string;
  readonly secrets: readonly Secret[];
  /** Other content that the liar names: whole and public, under another rule. */
  readonly others: readonly Target[];
  readonly random: SeededRandom;
  /** `leaked`: what nobody was owed came. `wrong`: a complete answer of other bytes than its digest says. */
  readonly report: (kind: 'leaked' | 'wrong', line: string) => void;
}

export interface Trespasser extends Disposable {
  /** Asks once for what is not its own, without any credential, and judges the answer. */
  step(): Promise<void>;
  readonly asked: number;
}

interface Answer {
  readonly status: number;
  readonly length: number | undefined;
  /** Absent where the answer did not end. */
  readonly body: Buffer | undefined;
}

const timeoutMs = 1500;
const bodyBytesMax = 64 * 1024 * 1024;
/** Fewer bytes may be equal by chance. */
const rangeBytesMin = 16;

export function createTrespasser(options: TrespassOptions): Trespasser {
  const { port, liar, secrets, others, random, report } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let asked = 0;
  const ask = (
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer | undefined> => {
    asked += 1;
    return fetchOnce({ agent, port, method, path, headers });
  };
  const target = (): Target | undefined => {
    const known = random.chance(0.6) || others.length === 0 ? secrets : others;
    return known.length === 0 ? undefined : random.pick(known);
  };

  /** By a rule whose upstream says it has the content, or by one whose upstream says no. */
  const askByRule = async (): Promise<void> => {
    const wanted = target();
    if (wanted === undefined) return;
    const repository = random.pick([`${liar}/team/app`, `${liar}/other`, 'docker.io/evil/app']);
    // Of public content the honest upstream may have more than one repository.
    if (!wanted.secret && !repository.startsWith(liar)) return;
    const path = `/v2/${repository}/blobs/${wanted.digest}`;
    if (random.chance(0.3)) {
      const head = await ask('HEAD', path);
      if (wanted.secret && head?.status === 200 && head.length === wanted.size)
        report('leaked', `HEAD ${path} tells its size`);
      return;
    }
    const start = random.chance(0.3) ? 0 : random.below(wanted.size);
    const range = random.chance(0.5) || start > 0 ? { range: `bytes=${start}-` } : {};
    judge(wanted, path, await ask('GET', path, range), start);
  };

  const judge = (wanted: Target, path: string, answer: Answer | undefined, start: number): void => {
    if (answer?.body === undefined || answer.status >= 300) return;
    const { status, body } = answer;
    // From its first byte to its last: as good as a 200.
    if (status === 200 || start === 0) {
      const digest = digestOf(body);
      if (digest === wanted.digest) report('leaked', `GET ${path} gives its bytes`);
      else report('wrong', `GET ${path}: ${body.length} bytes of ${digest}`);
      return;
    }
    const owed = secrets.find(({ digest }) => digest === wanted.digest)?.bytes.subarray(start);
    if (owed === undefined || body.length < rangeBytesMin) return;
    if (owed.subarray(0, body.length).equals(body))
      report('leaked', `GET ${path} from ${start} gives ${body.length} of its bytes`);
  };

  /** Under its own name. */
  const askByName = async (): Promise<void> => {
    if (secrets.length === 0) return;
    const { repository, digest } = random.pick(secrets);
    const path = `/v2/${repository}/${random.pick([
      `blobs/${digest}`,
      'manifests/v1',
      'tags/list',
      `referrers/${digest}`,
    ])}`;
    const method = random.chance(0.5) ? 'HEAD' : 'GET';
    const answer = await ask(method, path);
    if (answer !== undefined && answer.status < 300)
      report('leaked', `${method} ${path}: ${answer.status}`);
  };

  const mount = async (): Promise<void> => {
    if (secrets.length === 0) return;
    const { repository, digest } = random.pick(secrets);
    const path = `/v2/mine/app/blobs/uploads/?mount=${digest}&from=${repository}`;
    const answer = await ask('POST', path);
    if (answer !== undefined && answer.status < 300)
      report('leaked', `POST ${path}: ${answer.status}`);
  };

  const importLies = async (): Promise<void> => {
    await ask('GET', `/v2/${liar}/team/app/manifests/v${random.below(20)}`);
  };

  return {
    get asked() {
      return asked;
    },
    step: () => random.pick([askByRule, askByRule, askByName, mount, importLies])(),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

interface Asking {
  readonly agent: Agent;
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** `undefined` where there was no answer. */
async function fetchOnce(asking: Asking): Promise<Answer | undefined> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request({ ...asking, host: '127.0.0.1', signal }, resolve);
      outgoing.once('error', reject);
      outgoing.end();
    });
    const length = response.headers['content-length'];
    const head = {
      status: response.statusCode ?? 0,
      length: length === undefined ? undefined : Number(length),
    };
    return { ...head, body: await bodyOf(response) };
  } catch {
    return undefined;
  }
}

/** `undefined` where it broke off. */
async function bodyOf(response: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > bodyBytesMax) return undefined;
    }
    return response.complete ? Buffer.concat(chunks) : undefined;
  } catch {
    return undefined;
  }
}
