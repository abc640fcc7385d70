// Users of a running server who may do just what a test says.
import assert from 'node:assert/strict';
import type { Question, RegistryClient } from './registry-client.ts';
import { basicOf } from '../processes/breakwater.ts';
import type { HttpAnswer } from './http-exchange.ts';

/** `{'team/*': ['ecr:BatchGetImage']}`: what may be done in repositories whose names match. */
export type Rights = Readonly<Record<string, readonly string[]>>;

export interface NarrowUser {
  readonly name: string;
  ask(method: string, location: string, question?: Question): Promise<HttpAnswer>;
}

/** A new user with one identity policy, and a key. */
export async function makeUser(
  client: RegistryClient,
  name: string,
  rights: Rights,
): Promise<NarrowUser> {
  await askApi(client, 'POST', 'users', { name });
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: Object.entries(rights).map(([repository, actions]) => ({
      Effect: 'Allow',
      Action: actions,
      Resource: `arn:aws:ecr:us-east-1:000000000000:repository/${repository}`,
    })),
  });
  await askApi(client, 'PUT', 'identity-policies', { user: name, name: 'narrow', policy });
  const key = (await askApi(client, 'POST', 'access-keys', { user: name })) as {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
  const pair = Buffer.from(`${key.accessKeyId}:${key.secretAccessKey}`).toString('base64');
  const authorization = { Authorization: `Basic ${pair}` };
  return {
    name,
    ask: (method, location, question = {}) =>
      client.ask(method, location, {
        ...question,
        headers: { ...authorization, ...question.headers },
      }),
  };
}

/** Asks /api/v1 as the administrator; throws where it is refused. */
export async function askApi(
  { breakwater }: RegistryClient,
  method: string,
  path: string,
  body: object,
): Promise<unknown> {
  const answer = await fetch(`${breakwater.url}/api/v1/${path}`, {
    method,
    headers: { authorization: await basicOf(breakwater), 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
