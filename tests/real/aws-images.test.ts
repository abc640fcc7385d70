// boto3 pushes and reads images entirely over the ECR API, and knows each error by its name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setAwsScene } from '../support/clients/aws.ts';

test('boto3 pushes an image in parts, lists, describes, gets and deletes it, with no registry client.', async (t) => {
  const s = await setAwsScene(t);
  if (s === undefined) return;
  const told = await s.boto3(`
import hashlib, json, os
ecr = client('ecr')
name = 'team/app'
call(ecr, 'create_repository', repositoryName=name)
digest = lambda data: 'sha256:' + hashlib.sha256(data).hexdigest()
layer = os.urandom(11 * 1024 * 1024)
config = b'{"architecture":"amd64","os":"linux"}'
def push(data, size):
    begun = call(ecr, 'initiate_layer_upload', repositoryName=name)
    for first in range(0, len(data), size):
        part = data[first:first + size]
        sent = call(ecr, 'upload_layer_part', repositoryName=name, uploadId=begun['uploadId'], partFirstByte=first, partLastByte=first + len(part) - 1, layerPartBlob=part)
        assert sent.get('lastByteReceived') == first + len(part) - 1, sent
    return begun['partSize'], call(ecr, 'complete_layer_upload', repositoryName=name, uploadId=begun['uploadId'], layerDigests=[digest(data)])
check = lambda *digests: call(ecr, 'batch_check_layer_availability', repositoryName=name, layerDigests=list(digests))
before = check(digest(layer), 'sha256:ab')
small = push(config, 1024 * 1024)
large = push(layer, small[0])
import urllib.request, urllib.error
def fetch(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as reply: return reply.status, reply.read()
    except urllib.error.HTTPError as error: return error.code, error.read()
url = lambda of: call(ecr, 'get_download_url_for_layer', repositoryName=name, layerDigest=of)
granted = url(digest(layer))['downloadUrl']
downloads = {
    'whole': fetch(granted) == (200, layer),
    'range': fetch(granted, Range='bytes=3-6') == (206, layer[3:7]),
    'changed': fetch(granted[:-3] + ('AAA' if granted[-3:] != 'AAA' else 'BBB'))[0],
    'without': fetch(granted.split('/layers/')[0] + '/layers/')[0],
    'mirror': fetch(granted.split('/layers/')[0] + '/layers/v2/app/tags/list')[0],
    'absent': url(digest(b'absent'))['error'],
    'bad': url('sha256:ab')['error'],
}
manifest_type = 'application/vnd.oci.image.manifest.v1+json'
manifest = json.dumps({'schemaVersion': 2, 'mediaType': manifest_type,
    'config': {'mediaType': 'application/vnd.oci.image.config.v1+json', 'digest': digest(config), 'size': len(config)},
    'layers': [{'mediaType': 'application/vnd.oci.image.layer.v1.tar', 'digest': digest(layer), 'size': len(layer)}]})
put = lambda **more: call(ecr, 'put_image', repositoryName=name, imageManifest=manifest, **more)
image = digest(manifest.encode())
first = put(imageTag='v1')
again = put(imageTag='v1')
call(ecr, 'put_image_tag_mutability', repositoryName=name, imageTagMutability='IMMUTABLE')
other = manifest.replace('amd', 'arm').replace('"schemaVersion": 2', '"schemaVersion":  2')
index = json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.index.v1+json', 'manifests': [{'mediaType': manifest_type, 'digest': image, 'size': len(manifest)}]})
bad = lambda text, **more: call(ecr, 'put_image', repositoryName=name, imageManifest=text, **more)['error']
upload = call(ecr, 'initiate_layer_upload', repositoryName=name)['uploadId']
part = lambda id, first, data: call(ecr, 'upload_layer_part', repositoryName=name, uploadId=id, partFirstByte=first, partLastByte=first + len(data) - 1, layerPartBlob=data)['error']
complete = lambda id, of: call(ecr, 'complete_layer_upload', repositoryName=name, uploadId=id, layerDigests=[of])['error']
none = '00000000-0000-4000-8000-000000000000'
errors = {
    'immutable': bad(other, imageTag='v1'),
    'digest': bad(other, imageDigest=image),
    'layers': bad(manifest.replace(digest(layer), digest(b'absent')), imageTag='v2'),
    'children': bad(index.replace(image, digest(b'absent')), imageTag='v2'),
    'manifest': bad('{}', imageTag='v2'),
    'gap': part(upload, 5, b'abc'),
    'length': call(ecr, 'upload_layer_part', repositoryName=name, uploadId=upload, partFirstByte=0, partLastByte=9, layerPartBlob=b'abc')['error'],
    'upload': part(none, 0, b'abc'),
    'empty': complete(upload, digest(b'')),
    'completed': complete(none, digest(b'')),
}
call(ecr, 'upload_layer_part', repositoryName=name, uploadId=upload, partFirstByte=0, partLastByte=2, layerPartBlob=b'abc')
errors['wrong'] = complete(upload, digest(b'abd'))
call(ecr, 'put_image', repositoryName=name, imageManifest=index, imageTag='multi')
got = call(ecr, 'batch_get_image', repositoryName=name, imageIds=[{'imageTag': 'v1'}, {'imageDigest': image}, {'imageTag': 'no'}, {'imageDigest': 'x'}, {'imageTag': '-'}, {'imageTag': 'v1', 'imageDigest': digest(b'absent')}, {}])
listed = [each for page in ecr.get_paginator('list_images').paginate(repositoryName=name, PaginationConfig={'PageSize': 1}) for each in page['imageIds']]
described = [each for page in ecr.get_paginator('describe_images').paginate(repositoryName=name, PaginationConfig={'PageSize': 1}) for each in page['imageDetails']]
one = {'imageTag': 'v1'}
of_image = lambda operation, **more: call(ecr, operation, repositoryName=name, imageId=one, **more)
profile = 'arn:aws:signer:us-east-1:000000000000:/signing-profiles/prod'
call(ecr, 'put_signing_configuration', signingConfiguration={'rules': [{'signingProfileArn': profile, 'repositoryFilters': [{'filter': 'team/*', 'filterType': 'WILDCARD_MATCH'}]}]})
call(ecr, 'put_replication_configuration', replicationConfiguration={'rules': [{'destinations': [{'region': 'eu-west-1', 'registryId': '000000000000'}], 'repositoryFilters': [{'filter': 'team', 'filterType': 'PREFIX_MATCH'}]}]})
statuses = {
    'replication': of_image('describe_image_replication_status')['replicationStatuses'],
    'signing': of_image('describe_image_signing_status')['signingStatuses'],
    'scan': of_image('start_image_scan')['error'],
    'findings': of_image('describe_image_scan_findings'),
    'archive': of_image('update_image_storage_class', targetStorageClass='ARCHIVE')['error'],
    'standard': of_image('update_image_storage_class', targetStorageClass='STANDARD')['imageStatus'],
    'missing': call(ecr, 'start_image_scan', repositoryName=name, imageId={'imageTag': 'no'})['error'],
}
signature = json.dumps({'schemaVersion': 2, 'mediaType': manifest_type, 'artifactType': 'application/vnd.signature',
    'config': {'mediaType': 'application/vnd.oci.empty.v1+json', 'digest': digest(config), 'size': len(config)},
    'layers': [{'mediaType': 'application/octet-stream', 'digest': digest(config), 'size': len(config)}],
    'subject': {'mediaType': manifest_type, 'digest': image, 'size': len(manifest)}, 'annotations': {'by': 'us'}})
call(ecr, 'put_image', repositoryName=name, imageManifest=signature)
referring = lambda **more: call(ecr, 'list_image_referrers', repositoryName=name, subjectId={'imageDigest': image}, **more)
referrers = [referring(), referring(filter={'artifactTypes': ['other']}), referring(filter={'artifactStatus': 'ARCHIVED'})]
delete = lambda *ids: call(ecr, 'batch_delete_image', repositoryName=name, imageIds=list(ids))
deleted = [delete({'imageTag': 'v1'}, {'imageTag': 'no'}, {}), delete({'imageDigest': image}), delete({'imageDigest': image}, {'imageTag': 'multi'})]
answer({
    'before': before, 'small': small[1], 'large': large[1], 'size': large[0], 'after': check(digest(layer)),
    'layer': digest(layer), 'config': digest(config), 'image': image, 'first': first, 'again': again['error'], 'errors': errors,
    'got': [each['imageManifest'] == manifest for each in got['images']], 'failures': [each['failureCode'] for each in got['failures']],
    'listed': listed, 'described': described, 'index': digest(index.encode()), 'bytes': len(manifest) + len(config) + len(layer),
    'downloads': downloads, 'statuses': statuses, 'referrers': referrers, 'deleted': deleted,
    'left': [digest(signature.encode())] == [each['imageDigest'] for each in call(ecr, 'list_images', repositoryName=name)['imageIds']],
    'none': [call(ecr, operation, repositoryName='no/such', **more)['error'] for operation, more in [('list_images', {}), ('batch_get_image', {'imageIds': [one]}), ('batch_delete_image', {'imageIds': [one]}), ('batch_check_layer_availability', {'layerDigests': [digest(layer)]}), ('list_image_referrers', {'subjectId': {'imageDigest': image}})]],
})
`);
  const { image, index } = told;
  const isUnavailable = { layerDigest: told.layer, layerAvailability: 'UNAVAILABLE' };
  assert.deepEqual(told.before.layers, [isUnavailable]);
  assert.deepEqual(
    told.before.failures.map((each: { failureCode: string }) => each.failureCode),
    ['InvalidLayerDigest'],
  );
  assert.equal(told.size, 10 * 1024 * 1024);
  assert.equal(told.small.layerDigest, told.config);
  assert.equal(told.large.layerDigest, told.layer);
  assert.deepEqual(told.after.layers, [
    { layerDigest: told.layer, layerAvailability: 'AVAILABLE', layerSize: 11 * 1024 * 1024 },
  ]);
  assert.deepEqual(told.downloads, {
    whole: true,
    range: true,
    changed: 403,
    without: 403,
    mirror: 401,
    absent: 'LayersNotFoundException',
    bad: 'InvalidParameterException',
  });
  assert.deepEqual(told.first.image.imageId, { imageDigest: image, imageTag: 'v1' });
  assert.equal(told.again, 'ImageAlreadyExistsException');
  assert.deepEqual(told.errors, {
    immutable: 'ImageTagAlreadyExistsException',
    digest: 'ImageDigestDoesNotMatchException',
    layers: 'LayersNotFoundException',
    children: 'ReferencedImagesNotFoundException',
    manifest: 'InvalidParameterException',
    gap: 'InvalidLayerPartException',
    length: 'InvalidLayerPartException',
    upload: 'UploadNotFoundException',
    empty: 'EmptyUploadException',
    completed: 'UploadNotFoundException',
    wrong: 'InvalidLayerException',
  });
  assert.deepEqual(told.got, [true, true]);
  assert.deepEqual(told.failures, [
    'ImageNotFound',
    'InvalidImageDigest',
    'InvalidImageTag',
    'ImageTagDoesNotMatchDigest',
    'MissingDigestAndTag',
  ]);
  const byDigest = (one: { imageDigest: string }, other: { imageDigest: string }): number =>
    one.imageDigest < other.imageDigest ? -1 : 1;
  const names = [
    { imageDigest: image, imageTag: 'v1' },
    { imageDigest: index, imageTag: 'multi' },
  ].toSorted(byDigest);
  assert.deepEqual(told.listed, names);
  assert.deepEqual(
    told.described.map((each: { imageDigest: string; imageSizeInBytes: number }) => [
      each.imageDigest,
      each.imageSizeInBytes,
    ]),
    names.map(({ imageDigest }) => [imageDigest, told.bytes]),
  );
  const { findings, ...statuses } = told.statuses;
  assert.deepEqual(statuses, {
    replication: [
      {
        region: 'eu-west-1',
        registryId: '000000000000',
        status: 'FAILED',
        failureCode: 'EngineNotAvailable',
      },
    ],
    signing: [
      {
        signingProfileArn: 'arn:aws:signer:us-east-1:000000000000:/signing-profiles/prod',
        failureCode: 'EngineNotAvailable',
        failureReason: 'Breakwater keeps the configuration and signs nothing',
        status: 'FAILED',
      },
    ],
    scan: 'UnsupportedImageTypeException',
    archive: 'ImageStorageClassUpdateNotSupportedException',
    standard: 'ACTIVE',
    missing: 'ImageNotFoundException',
  });
  assert.equal(findings.error, 'ScanNotFoundException');
  assert.deepEqual(
    told.referrers.map(({ referrers }: { referrers: { artifactType: string }[] }) =>
      referrers.map(({ artifactType }) => artifactType),
    ),
    [['application/vnd.signature'], [], []],
  );
  assert.deepEqual(told.referrers[0].referrers[0].annotations, { by: 'us' });
  const failures = told.deleted.map((each: { failures: { failureCode: string }[] }) =>
    each.failures.map(({ failureCode }) => failureCode),
  );
  assert.deepEqual(failures, [
    ['ImageNotFound', 'MissingDigestAndTag'],
    ['ImageReferencedByManifestList'],
    [],
  ]);
  assert.deepEqual(told.deleted[0].imageIds, [{ imageDigest: image, imageTag: 'v1' }]);
  assert.deepEqual(told.deleted[2].imageIds, [
    { imageDigest: index, imageTag: 'multi' },
    { imageDigest: image },
  ]);
  assert.equal(told.left, true);
  assert.deepEqual(new Set(told.none), new Set(['RepositoryNotFoundException']));
});
