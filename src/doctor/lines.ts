// Plain text for a terminal.

/** A heading and what stands under it. */
export const paragraph = (title: string, lines: readonly string[]): string[] => [
  `  ${title}${lines.length === 0 ? ': none' : ''}`,
  ...lines.map((line) => `    ${line}`),
]

/** Columns as wide as what is in them. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
