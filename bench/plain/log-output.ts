// Stands in for dist/telemetry/log-output.js (docs/decisions/0009-log-buffer.md): a system call for each line.
import { type createLogOutput, type LogOutput, standardOutput as buffered } from '../../src/telemetry/log-output.ts'

export * from '../../src/telemetry/log-output.ts'
export function standardOutput(): LogOutput {
  const output = buffered() as ReturnType<typeof createLogOutput>
  return {
    ...output,
    write(line) {
      output.write(line)
      output.flush()
    },
    writeAwaited(line, written) {
      output.writeAwaited(line, written)
      output.flush()
    },
  }
}
