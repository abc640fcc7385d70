import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registryHostProblem } from './registry-host.ts';

for (const [text, problem] of [
  ['cache.example.com', undefined],
  ['cache.example.com:5000', undefined],
  ['Cache.Example.com', undefined],
  ['10.0.0.1:5000', undefined],
  ['[fd00::1]:5000', undefined],
  ['cache:5000', undefined],
  ['111122223333.dkr.ecr.eu-west-2.amazonaws.com', undefined],
  ['svc.example.com', undefined],
  ['registry.svc.example.com', undefined],
  ['localhost', 'loopback'],
  ['localhost:5000', 'loopback'],
  ['LOCALHOST:5000', 'loopback'],
  ['127.0.0.1', 'loopback'],
  ['127.8.9.10:5000', 'loopback'],
  ['[::1]:5000', 'loopback'],
  ['[::]:5000', 'loopback'],
  ['0.0.0.0:5000', 'loopback'],
  ['registry.localhost:5000', 'loopback'],
  ['breakwater.cache.svc', 'cluster name'],
  ['breakwater.cache.svc:5000', 'cluster name'],
  ['breakwater.cache.svc.cluster.local', 'cluster name'],
  ['Breakwater.Cache.SVC.cluster.local:5000', 'cluster name'],
  ['', 'no host'],
  ['cache', 'no host'],
  ['https://cache.example.com', 'no host'],
  ['cache.example.com/docker.io', 'no host'],
  ['cache.example.com:port', 'no host'],
  ['cache_1.example.com', 'no host'],
  ['cache.example.com.', 'no host'],
  [' cache.example.com', 'no host'],
] as const) {
  test(`${JSON.stringify(text)} before a cluster's images: ${problem ?? 'fine'}`, () => {
    assert.equal(registryHostProblem(text), problem);
  });
}
