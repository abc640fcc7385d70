import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { model as iam } from '../iam/model.ts';
import { model as sts } from '../sts/model.ts';
import { timestamp } from './service-model.ts';
import { xmlAnswer, xmlText } from './xml-answer.ts';

const xmlNamespace = 'https://example.com/';

suite('an answer as XML', () => {
  test('members stand in the order of the model, those that are absent nowhere', () => {
    const value = { Account: '1', UserId: 'a&b' };
    assert.equal(
      xmlAnswer({ model: sts, xmlNamespace }, 'GetCallerIdentity', value, 'r<1>'),
      '<GetCallerIdentityResponse xmlns="https://example.com/"><GetCallerIdentityResult><UserId>a&amp;b</UserId><Account>1</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r&lt;1&gt;</RequestId></ResponseMetadata></GetCallerIdentityResponse>',
    );
  });

  test('lists have members, times are ISO 8601, booleans words', () => {
    const at = Date.parse('2026-11-21T04:00:00Z');
    const value = {
      IsTruncated: false,
      Users: [
        { UserName: 'a', CreateDate: timestamp(at) },
        { UserName: 'b', CreateDate: timestamp(at + 50) },
      ],
    };
    const text = xmlAnswer({ model: iam, xmlNamespace }, 'ListUsers', value, 'r');
    assert.ok(
      text.includes(
        '<Users><member><UserName>a</UserName><CreateDate>2026-11-21T04:00:00Z</CreateDate></member><member><UserName>b</UserName><CreateDate>2026-11-21T04:00:00.050Z</CreateDate></member></Users><IsTruncated>false</IsTruncated>',
      ),
      text,
    );
  });

  test('an operation that answers nothing has no result', () => {
    assert.equal(
      xmlAnswer({ model: iam, xmlNamespace }, 'DeleteUser', {}, 'r'),
      '<DeleteUserResponse xmlns="https://example.com/"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DeleteUserResponse>',
    );
  });

  test('what XML can’t hold is replaced', () => {
    assert.equal(xmlText('a\0b\u001bc\ud800d\n"\''), 'a\ufffdb\ufffdc\ufffdd&#xA;&quot;&#39;');
  });
});
