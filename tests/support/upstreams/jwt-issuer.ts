import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CryptoKey, JWK } from 'jose';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import { openStage } from './stage.ts';

/** An OpenID Connect issuer on loopback, as far as those who verify its tokens see it. */
export interface StagedJwtIssuer extends AsyncDisposable {
  /** As `iss` has it. */
  readonly url: string;
  /** The paths that were asked for. */
  readonly asked: string[];
  /** Gives it another key, beside the ones it has or instead of them. */
  rotate(kid: string, options?: { readonly keep?: boolean; readonly alg?: string }): Promise<void>;
  sign(claims: Readonly<Record<string, unknown>>, options?: SignOptions): Promise<string>;
  /** The media type of the key set. */
  keysType: string;
  /** Whether it answers 406 to an Accept that does not name its type. */
  negotiates: boolean;
  /** Answers instead of the issuer until it is unset. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
}

export interface SignOptions {
  readonly kid?: string;
  readonly alg?: string;
  readonly header?: Readonly<Record<string, unknown>>;
}

/** `tls`: it is asked over https. */
export async function stageJwtIssuer(tls?: {
  readonly cert: string;
  readonly key: string;
}): Promise<StagedJwtIssuer> {
  const privateKeys = new Map<string, { readonly key: CryptoKey; readonly alg: string }>();
  let published: JWK[] = [];
  const asked: string[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    asked.push(request.url ?? '');
    if (staged.instead !== undefined) {
      staged.instead(request, response);
      return;
    }
    const isKeys = request.url?.endsWith('/keys') === true;
    const type = isKeys ? staged.keysType : 'application/json';
    // As Kubernetes' API server does; most issuers look at no Accept.
    if (staged.negotiates && !accepts(request.headers.accept ?? '', type)) {
      response.writeHead(406, { 'content-type': 'text/plain' }).end('406: Not Acceptable');
      return;
    }
    const document = isKeys ? { keys: published } : { issuer: url, jwks_uri: `${url}/keys` };
    response.setHeader('content-type', type);
    response.end(JSON.stringify(document));
  };
  const stage = await openStage(listener, tls);
  const url = `${stage.url}/realm`;

  const staged: StagedJwtIssuer = {
    url,
    asked,
    keysType: 'application/json',
    negotiates: false,
    instead: undefined,
    rotate: async (kid, { keep = false, alg = 'ES256' } = {}) => {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      privateKeys.set(kid, { key: privateKey, alg });
      published = [...(keep ? published : []), { ...(await exportJWK(publicKey)), kid, alg }];
    },
    sign: async (claims, { kid = 'one', alg, header } = {}) => {
      const known = privateKeys.get(kid);
      if (known === undefined) throw new Error(`the issuer never had a key ${kid}`);
      return await new SignJWT(claims)
        .setProtectedHeader({ alg: alg ?? known.alg, kid, ...header })
        .sign(known.key);
    },
    [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
  };
  await staged.rotate('one');
  return staged;
}

function accepts(accept: string, type: string): boolean {
  return accept.split(',').some((range) => range.split(';', 1)[0]?.trim() === type);
}
