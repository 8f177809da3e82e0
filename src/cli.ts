#!/usr/bin/env node
// The entry: `token-broker <command>`. It has no static imports and uses no new syntax, so that it can still run on an
// old Node and say so. With a static import, Node would load every module first and fail inside a package. A test
// compares this number with "engines" in package.json.
const REQUIRED_NODE = 24

if (Number(process.versions.node.split('.')[0]) < REQUIRED_NODE) {
  process.stderr.write(
    'token-broker needs Node ' +
      REQUIRED_NODE +
      ' or newer, and this is Node ' +
      process.versions.node +
      ': install it from https://nodejs.org, or run "npx node dist/cli.js" in the repository, where "npm ci" has installed it.\n',
  )
  process.exitCode = 1
} else {
  const { runProcess } = await import('./cli/commands.ts')
  await runProcess(process.argv.slice(2), process.env)
}
// Makes this file a module without an import.
export {}
