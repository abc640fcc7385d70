import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { RegistryError } from '../../domain/errors.ts';

/** Code and message, whatever they are written in. */
function told({ json, text }: AwsAnswer): string {
  const [, code, message] = /<Code>(.*)<\/Code><Message>(.*)<\/Message>/.exec(text) ?? [];
  return json === undefined
    ? `${code}: ${message}`
    : `${json.__type}: ${json.message ?? json.Message}`;
}

const target = (name: string): { headers: Record<string, string> } => ({
  headers: { 'x-amz-target': name },
});

const ecr = 'AmazonEC2ContainerRegistry_V20150921';
const identity = { Action: 'GetCallerIdentity', Version: '2011-06-15' };

interface Row {
  readonly what: string;
  readonly ask: (aws: AwsRig) => Promise<AwsAnswer>;
  readonly status: number;
  readonly type: string;
  readonly says: RegExp;
}

const json = 'application/x-amz-json-1.1';
const rows: readonly Row[] = [
  {
    what: 'without a signature is not answered',
    ask: (aws) => aws.ecr('DescribeRepositories', {}, { as: 'unsigned' }),
    status: 400,
    type: json,
    says: /^MissingAuthenticationTokenException: Missing Authentication Token$/,
  },
  {
    what: 'with a wrong signature is not answered',
    ask: (aws) => aws.ecr('DescribeRepositories', {}, { as: 'wrong' }),
    status: 400,
    type: json,
    says: /^InvalidSignatureException: The request signature we calculated/,
  },
  {
    what: 'that was signed for another service is not answered',
    ask: (aws) => aws.ecr('DescribeRepositories', {}, { service: 'sts' }),
    status: 400,
    type: json,
    says: /^InvalidSignatureException: Credential should be scoped to correct service: 'ecr'\.$/,
  },
  {
    what: 'of an operation that ECR has not is unknown',
    ask: (aws) => aws.ecr('DescribeEverything'),
    status: 400,
    type: json,
    says: /^UnknownOperationException: .*DescribeEverything of ecr/,
  },
  {
    what: 'of a property that every object has is unknown',
    ask: (aws) => aws.ecr('constructor'),
    status: 400,
    type: json,
    says: /^UnknownOperationException/,
  },
  {
    what: 'without an operation is unknown',
    ask: (aws) => aws.ecr(''),
    status: 400,
    type: json,
    says: /^UnknownOperationException/,
  },
  {
    what: 'of another service says which are served, and how clients are told',
    ask: (aws) => aws.send(target('DynamoDB_20120810.ListTables'), '{}'),
    status: 400,
    type: json,
    says: /^UnknownOperationException: .*DynamoDB_20120810.ListTables: it serves ecr, secretsmanager, sts, iam.*AWS_ENDPOINT_URL_ECR, AWS_ENDPOINT_URL_SECRETS_MANAGER/,
  },
  {
    what: 'whose body is no JSON can’t be read',
    ask: (aws) => aws.ecr('DescribeRepositories', '{"maxResults":'),
    status: 400,
    type: json,
    says: /^SerializationException/,
  },
  {
    what: 'whose body is a list can’t be read',
    ask: (aws) => aws.ecr('DescribeRepositories', '[]'),
    status: 400,
    type: json,
    says: /^SerializationException: Start of list found where structure is expected$/,
  },
  {
    what: 'with a text for a number can’t be read',
    ask: (aws) => aws.ecr('DescribeRepositories', { maxResults: '5' }),
    status: 400,
    type: json,
    says: /^SerializationException: STRING_VALUE cannot be converted to Integer at 'maxResults'$/,
  },
  {
    what: 'beyond a limit names member and limit',
    ask: (aws) => aws.ecr('DescribeRepositories', { maxResults: 1001 }),
    status: 400,
    type: json,
    says: /^InvalidParameterException: Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'$/,
  },
  {
    what: 'of more than a mebibyte is too large',
    ask: (aws) => aws.ecr('DescribeRepositories', `{"a":"${'x'.repeat(1024 * 1024)}"}`),
    status: 413,
    type: json,
    says: /^RequestEntityTooLargeException/,
  },
  {
    what: 'of a password for registry clients changes nothing',
    ask: (aws) => {
      aws.api.via = 'ecr';
      return aws.ecr('CreateRepository', { repositoryName: 'team/app' });
    },
    status: 400,
    type: json,
    says: /^AccessDeniedException: a password or token for registry clients reads only$/,
  },
  {
    what: 'by a form without an action says what is served',
    ask: (aws) => aws.form({}),
    status: 400,
    type: 'text/xml',
    says: /^UnknownOperationException: .*a request without X-Amz-Target or Action/,
  },
  {
    what: 'by a form of another service says what is served',
    ask: (aws) => aws.form({ Action: 'DescribeInstances', Version: '2016-11-15' }),
    status: 400,
    type: 'text/xml',
    says: /^UnknownOperationException: .*DescribeInstances of 2016-11-15/,
  },
  {
    what: 'by a form of an operation that STS has not is unknown',
    ask: (aws) => aws.form({ Action: 'GetEverything', Version: '2011-06-15' }),
    status: 400,
    type: 'text/xml',
    says: /^InvalidAction: Could not find operation GetEverything for version 2011-06-15/,
  },
  {
    what: 'by a form without a signature is not answered',
    ask: (aws) => aws.form(identity, { as: 'unsigned' }),
    status: 403,
    type: 'text/xml',
    says: /^MissingAuthenticationToken: /,
  },
  {
    what: 'by a form with a wrong signature is not answered',
    ask: (aws) => aws.form(identity, { as: 'wrong' }),
    status: 403,
    type: 'text/xml',
    says: /^SignatureDoesNotMatch: /,
  },
  {
    what: 'by a form that was signed for another service is not answered',
    ask: (aws) => aws.form(identity, { service: 'ecr' }),
    status: 403,
    type: 'text/xml',
    says: /^SignatureDoesNotMatch: Credential should be scoped to correct service: &#39;sts&#39;\.$/,
  },
  {
    what: 'to a path of a service that is not served names the service',
    ask: (aws) =>
      aws.send({
        method: 'GET',
        path: '/clusters',
        headers: {
          authorization: 'AWS4-HMAC-SHA256 Credential=AKIA/20261130/us-east-1/eks/aws4_request',
        },
      }),
    status: 400,
    type: json,
    says: /^UnknownOperationException: Breakwater does not serve eks: /,
  },
  {
    what: 'of S3 is answered as S3 reads it',
    ask: (aws) =>
      aws.send(
        {
          method: 'GET',
          path: '/',
          query:
            'X-Amz-Credential=AKIA%2F20261130%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=00',
          headers: {},
        },
        '',
        { as: 'unsigned' },
      ),
    status: 400,
    type: 'application/xml',
    says: /^UnknownOperationException: Breakwater does not serve s3: /,
  },
];

suite('a call', () => {
  for (const { what, ask, status, type, says } of rows)
    test(what, async () => {
      await using aws = await openAws();
      const answer = await ask(aws);
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.headers['Content-Type'], type);
      assert.match(told(answer), says);
      assert.equal(answer.headers['x-amzn-ErrorType'], told(answer).split(':')[0]);
      assert.equal(answer.headers['x-amzn-RequestId'], 'r-1');
      if (type !== json) assert.ok(answer.text.includes('<RequestId>r-1</RequestId>'));
      assert.deepEqual(aws.api.failures, []);
    });

  test('in CBOR is answered in CBOR, with what is served', async () => {
    await using aws = await openAws();
    const { reply } = await aws.send({
      path: '/service/AmazonECR/operation/DescribeRepositories',
      headers: { 'smithy-protocol': 'rpc-v2-cbor' },
    });
    assert.equal(reply.status, 400);
    assert.equal(reply.headers['Content-Type'], 'application/cbor');
    assert.equal(reply.headers['smithy-protocol'], 'rpc-v2-cbor');
    const bytes = Buffer.from(reply.body as Uint8Array);
    assert.equal(bytes[0], 0xa2);
    assert.match(
      bytes.toString('latin1'),
      /^.y..__typey..UnknownOperationExceptiony..messagey..Breakwater does not serve AmazonECR by rpc-v2-cbor/s,
    );
  });

  test('whose key is not known is refused before its body is read', async () => {
    await using aws = await openAws();
    const unread = {
      readCall: () => Promise.reject(new Error('the body was read')),
      headers: { 'x-amz-target': `${ecr}.DescribeRepositories` },
    };
    const answer = await aws.send(unread, '', { as: 'unsigned' });
    assert.equal(answer.json.__type, 'MissingAuthenticationTokenException');
    const form = await aws.send({ ...unread, headers: {} }, '', { as: 'unknown key' });
    assert.equal(told(form).split(':')[0], 'InvalidClientTokenId');
    assert.deepEqual(aws.api.failures, []);
  });

  test('for which there is no memory is throttled, and told when to come again', async () => {
    await using aws = await openAws();
    const full = new RegistryError('tooManyRequests', 'Rate exceeded', { retryAfterMs: 1000 });
    const answer = await aws.send({
      readCall: () => Promise.reject(full),
      headers: { 'x-amz-target': `${ecr}.DescribeRepositories` },
    });
    assert.equal(answer.status, 400);
    assert.equal(told(answer), 'ThrottlingException: Rate exceeded');
    assert.equal(answer.headers['Retry-After'], '1');
  });

  test('that fails inside is told without a word of why; the log has it', async () => {
    const broken = new Error('the secret cause');
    await using aws = await openAws({ ecrPassword: () => Promise.reject(broken) });
    const answer = await aws.ecr('GetAuthorizationToken');
    assert.equal(answer.status, 500);
    assert.equal(told(answer), 'ServerException: An internal error occurred.');
    assert.deepEqual(aws.api.failures, [broken]);
  });

  test('tells the log its service, operation and repository, and who asked', async () => {
    await using aws = await openAws();
    const { reply } = await aws.ecr('DeleteRepository', { repositoryName: 'no/such' });
    const { route, operation, repository } = reply.note;
    assert.deepEqual(
      { route, operation, repository },
      { route: 'ecr', operation: 'DeleteRepository', repository: 'no/such' },
    );
    assert.equal(reply.principal, `arn:aws:iam::${home}:root`);
  });

  test('by a presigned URL says whom it speaks for', async () => {
    await using aws = await openAws();
    const query = `${new URLSearchParams(identity).toString()}&X-Amz-Signature=00`;
    const answer = await aws.send({ method: 'GET', query, headers: {} }, '', {
      service: 'sts',
      as: 'ann',
    });
    assert.equal(answer.status, 200, answer.text);
    assert.match(
      answer.text,
      new RegExp(
        `<UserId>AIDA[A-Z2-7]{17}</UserId><Account>${home}</Account><Arn>arn:aws:iam::${home}:user/ann</Arn>`,
      ),
    );
  });
});
