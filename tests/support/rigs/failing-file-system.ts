import type { FileSystem } from '../../../src/storage/disk/file-system.ts';

/** A file system of which one call fails, and that counts what is left open. */
export interface FailingFileSystem {
  readonly fileSystem: FileSystem;
  readonly calls: number;
  readonly openDescriptors: number;
  /** Whether the call that was to fail has come. */
  readonly failed: boolean;
}

export interface Failure {
  readonly code: string;
  /** The n-th call fails, from 1 on; of those that `only` names, where it does. */
  readonly at: number;
  readonly only?: keyof FileSystem;
}

export function createFailingFileSystem(real: FileSystem, failure: Failure): FailingFileSystem {
  let calls = 0;
  let matching = 0;
  let openDescriptors = 0;
  let failed = false;

  const isNext = (name: string): boolean => {
    calls += 1;
    if (failure.only !== undefined && failure.only !== name) return false;
    matching += 1;
    if (matching !== failure.at) return false;
    failed = true;
    return true;
  };
  const failing = async (name: string, call: () => Promise<unknown>): Promise<unknown> => {
    const fails = isNext(name);
    // A close that fails has closed all the same.
    if (!fails || name === 'close') {
      const value = await call();
      if (name === 'open') openDescriptors += 1;
      if (name === 'close') openDescriptors -= 1;
      if (!fails) return value;
    }
    throw Object.assign(new Error(`${failure.code}: ${name} fails for the test`), {
      code: failure.code,
      syscall: name,
    });
  };
  const fileSystem = Object.fromEntries(
    Object.entries(real).map(([name, call]: [string, (...args: never[]) => Promise<unknown>]) => [
      name,
      (...args: never[]) => failing(name, () => call(...args)),
    ]),
  ) as unknown as FileSystem;

  return {
    fileSystem,
    get calls() {
      return calls;
    },
    get openDescriptors() {
      return openDescriptors;
    },
    get failed() {
      return failed;
    },
  };
}
