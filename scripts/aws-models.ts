// Writes src/api/*/model.ts anew: the limits, patterns, enums, required members and errors of the AWS operations that are served, out of
// botocore's service models. `node scripts/start.mjs scripts/aws-models.ts DATA`, DATA being the folder `data` of an installed botocore.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { iamOperations, secretsOperations, stsOperations } from './aws-operations.ts';
import { writeModel } from './aws-model-text.ts';
import type { RawModel } from './aws-model-text.ts';

/** The botocore whose models the generated files hold. */
export const botocoreVersion = '1.44.8';

/** One generated file. */
export interface GeneratedModel {
  /** Path from the root. */
  readonly file: string;
  /** botocore's folder of the service, with the version of its API. */
  readonly folder: string;
  /** Prefix of the names of generated types that are a service's own. */
  readonly prefix: string;
  /** Absent: all. */
  readonly operations?: readonly string[];
}

export const generatedModels: readonly GeneratedModel[] = [
  { file: 'src/api/ecr/model.ts', folder: 'ecr/2015-09-21', prefix: 'Ecr' },
  {
    file: 'src/api/secrets/model.ts',
    folder: 'secretsmanager/2017-10-17',
    prefix: 'Secrets',
    operations: secretsOperations,
  },
  {
    file: 'src/api/sts/model.ts',
    folder: 'sts/2011-06-15',
    prefix: 'Sts',
    operations: stsOperations,
  },
  {
    file: 'src/api/iam/model.ts',
    folder: 'iam/2010-05-08',
    prefix: 'Iam',
    operations: iamOperations,
  },
];

/** The text of a generated file. Throws where an operation is not in the model, or a shape is of a kind that is not known. */
export function generate(model: GeneratedModel, dataFolder: string): string {
  const file = join(dataFolder, model.folder, 'service-2.json.gz');
  const raw = JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')) as RawModel;
  return writeModel(raw, model);
}

/** The data folder of a botocore of that version: BOTOCORE_DATA's, or that of the Python on the path. `undefined`: there is none. */
export function findBotocore(): string | undefined {
  const named = process.env['BOTOCORE_DATA'];
  if (named !== undefined) return isOfVersion(named) ? named : undefined;
  const program =
    'import botocore, os; print(os.path.join(os.path.dirname(botocore.__file__), "data"))';
  const found = spawnSync('python3', ['-c', program], { encoding: 'utf8' });
  const folder = found.status === 0 ? found.stdout.trim() : '';
  return folder !== '' && isOfVersion(folder) ? folder : undefined;
}

function isOfVersion(dataFolder: string): boolean {
  const packages = dirname(dirname(dataFolder));
  return (
    existsSync(packages) &&
    readdirSync(packages).some((name) => name === `botocore-${botocoreVersion}.dist-info`)
  );
}

if (import.meta.main) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const [dataFolder = findBotocore()] = process.argv.slice(2);
  if (dataFolder === undefined)
    throw new Error(
      `name the data folder of botocore ${botocoreVersion}: pip install botocore==${botocoreVersion}`,
    );
  for (const model of generatedModels) {
    writeFileSync(join(root, model.file), generate(model, dataFolder));
    console.log(model.file);
  }
}
