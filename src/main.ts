process.env['UV_THREADPOOL_SIZE'] = String(
  Math.min(1024, Math.max(16, Number(process.env['UV_THREADPOOL_SIZE']) || 0)),
);
// What libuv reads once must be set before any module that uses its threads is loaded; static imports would come first.
const { runProgram } = await import('./cli/program.ts');
const { createTerminal } = await import('./cli/terminal/terminal.ts');

process.exitCode = await runProgram(
  process.argv.slice(2),
  {
    serve: async (config, options) => (await import('./server/app.ts')).serve(config, options),
    inspections: async (config, env) =>
      (await import('./server/inspection.ts')).createInspections(config, env),
  },
  createTerminal(process),
);
