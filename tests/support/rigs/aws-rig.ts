import type { Caller, Signatures } from '../../../src/access/access.ts';
import { SignatureRefused } from '../../../src/access/signatures/signature-refused.ts';
import { createAwsHandler } from '../../../src/api/aws/handler.ts';
import type { AwsService } from '../../../src/api/aws/service-table.ts';
import { createPageTokens } from '../../../src/api/aws/page-tokens.ts';
import { ecrService } from '../../../src/api/ecr/ecr.ts';
import { iamService } from '../../../src/api/iam/iam.ts';
import { secretsService } from '../../../src/api/secrets/secrets.ts';
import { stsService } from '../../../src/api/sts/sts.ts';
import { createRepeatedCalls } from '../../../src/operations/repeated-calls.ts';
import type { Handler, Incoming, Reply } from '../../../src/http/reply.ts';
import { homeRegistry } from '../samples/home-registry.ts';
import { incomingBody } from '../samples/incoming-body.ts';
import { home, openApi, principalOf } from './api-rig.ts';
import type { ApiChange, ApiRig } from './api-rig.ts';

export interface AwsAsk {
  /** As `openApi`'s, or whoever is given; `unsigned`: no signature at all. */
  readonly as?: string | Caller;
  readonly region?: string;
  /** Of the signature's scope; absent: what the target says. */
  readonly service?: string;
  readonly headers?: Incoming['headers'];
}

export interface AwsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // Answers of every shape are looked into by tests.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any;
  readonly reply: Reply;
}

export interface AwsRig extends AsyncDisposable {
  readonly api: ApiRig;
  readonly services: readonly AwsService[];
  /** ECR's, by its name; the input is sent as JSON, or as it is where it is a text. */
  ecr(operation: string, input?: unknown, asked?: AwsAsk): Promise<AwsAnswer>;
  /** Secrets Manager's, in the same way. */
  secrets(operation: string, input?: unknown, asked?: AwsAsk): Promise<AwsAnswer>;
  /** A form: `Action=…`. */
  form(parameters: Readonly<Record<string, string>>, asked?: AwsAsk): Promise<AwsAnswer>;
  send(request: Partial<Incoming>, body?: string | Uint8Array, asked?: AwsAsk): Promise<AwsAnswer>;
}

export interface AwsRigOptions extends ApiChange {
  readonly publicUrl?: string;
  /** Answers are lost as by a server that ends before it has written them; else they are kept. */
  readonly losesAnswers?: boolean;
}

/** The AWS endpoint over real metadata, policies and identities; who signed is said by the test. */
export async function openAws({
  publicUrl = '',
  losesAnswers = false,
  ...change
}: AwsRigOptions = {}): Promise<AwsRig> {
  const api = await openApi(change);
  const { operations, sealing } = api;
  const pages = createPageTokens(sealing);
  const signatures = new SaidSignatures(api);
  const { calls } = api.metadata;
  const repeatedCalls = createRepeatedCalls({
    clock: api.clock,
    metadata: { calls: losesAnswers ? { ...calls, recordAnswers: async () => {} } : calls },
  });
  const services = [
    ecrService({ ...operations, pages, publicUrl: () => publicUrl }),
    secretsService({ ...operations, pages }),
    stsService(operations),
    iamService({ ...operations, pages }),
  ];
  const handler: Handler = createAwsHandler({
    services,
    signatures,
    admission: operations.admission,
    repeatedCalls,
    home: () => homeRegistry,
    publicUrl: () => publicUrl,
    failed: (error) => void api.failures.push(error),
  });
  const send: AwsRig['send'] = async (request, body = '', asked = {}) => {
    signatures.asked = { service: 'ecr', ...asked };
    const reply = await handler(requestOf(request, Buffer.from(body), asked));
    const text = Buffer.from((reply.body as string | Uint8Array | undefined) ?? '').toString(
      'utf8',
    );
    const json: unknown = text.startsWith('{') ? JSON.parse(text) : undefined;
    return { status: reply.status, headers: reply.headers, text, json, reply };
  };
  return {
    api,
    services,
    send,
    ecr: (operation, input = {}, asked = {}) =>
      send(
        { headers: { 'x-amz-target': `AmazonEC2ContainerRegistry_V20150921.${operation}` } },
        typeof input === 'string' ? input : JSON.stringify(input),
        asked,
      ),
    secrets: (operation, input = {}, asked = {}) =>
      send(
        { headers: { 'x-amz-target': `secretsmanager.${operation}` } },
        typeof input === 'string' ? input : JSON.stringify(input),
        { service: 'secretsmanager', ...asked },
      ),
    form: (parameters, asked = {}) =>
      send(
        { headers: { 'content-type': 'application/x-www-form-urlencoded' } },
        new URLSearchParams(parameters).toString(),
        { service: 'sts', ...asked },
      ),
    [Symbol.asyncDispose]: async () => {
      await repeatedCalls[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

function requestOf(
  { headers = {}, ...request }: Partial<Incoming>,
  body: Buffer,
  { as, headers: more }: AwsAsk,
): Incoming {
  return {
    id: 'r-1',
    method: 'POST',
    path: '/',
    query: '',
    headers: {
      host: '127.0.0.1:5000',
      ...(as === 'unsigned' ? {} : { authorization: 'AWS4-HMAC-SHA256 …' }),
      ...headers,
      ...more,
    },
    clientAddress: '127.0.0.1',
    secure: false,
    host: '127.0.0.1:5000',
    isLoopback: true,
    isProxied: false,
    rawHeaders: [],
    signal: new AbortController().signal,
    ...incomingBody(body),
    ...request,
  };
}

/** Believes what the test says. `as: 'wrong'`: a signature that is not right; `unknown key`: none that is here. */
class SaidSignatures implements Signatures {
  asked: AwsAsk = {};
  readonly #api: Pick<ApiRig, 'via' | 'scopes'>;

  constructor(api: Pick<ApiRig, 'via' | 'scopes'>) {
    this.#api = api;
  }

  begin(): Awaited<ReturnType<Signatures['begin']>> {
    const { as = 'admin', region = 'us-east-1', service = '' } = this.asked;
    if (as === 'unknown key')
      throw new SignatureRefused(
        'unknownKey',
        'The security token included in the request is invalid.',
      );
    const caller: Caller =
      typeof as === 'string'
        ? { principal: principalOf(as), via: this.#api.via, scopes: undefined }
        : as;
    const { principal } = caller;
    const account = principal.kind === 'anonymous' ? home : principal.account;
    const known = { accessKeyId: 'AKIA', region, service };
    return {
      ...known,
      presigned: false,
      verify: (sha256) =>
        as === 'wrong' || sha256.length !== 32
          ? Promise.reject(
              new SignatureRefused('wrong', 'The request signature we calculated does not match'),
            )
          : Promise.resolve({ ...known, caller, account }),
    };
  }
}
