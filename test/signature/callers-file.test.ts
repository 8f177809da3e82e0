import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CallersError } from '../../src/signature/callers.ts'
import type { Callers } from '../../src/signature/callers.ts'
import { CallersFile } from '../../src/signature/callers-file.ts'
import { CALLERS_FILE, NOW } from './support.ts'

const both = JSON.stringify(CALLERS_FILE)
const one = JSON.stringify({ callers: CALLERS_FILE.callers.slice(0, 1) })

function open(path: string) {
  const changes: Callers[] = []
  const problems: CallersError[] = []
  const file = new CallersFile(path, {
    now: () => NOW,
    onChange: (callers) => changes.push(callers),
    onProblem: (error) => problems.push(error),
  })
  return { file, changes, problems, names: () => file.current().list.map(({ name }) => name) }
}

t.test('a changed file is used, an unchanged one is ignored', async (t) => {
  const path = join(t.testdir(), 'callers.json')
  writeFileSync(path, one)
  const { file, changes, names } = open(path)
  t.same(names(), ['megdocs'])
  const before = file.current()
  writeFileSync(path, one)
  t.equal(file.reload(), 'unchanged')
  t.equal(file.current(), before)
  writeFileSync(path, both)
  t.equal(file.reload(), 'changed')
  t.same(names(), ['megdocs', 'reports'])
  t.same(changes, [file.current()])
})

t.test('with a broken or missing file the callers stay, and the problem is reported once', async (t) => {
  const path = join(t.testdir(), 'callers.json')
  writeFileSync(path, both)
  const { file, problems, names } = open(path)
  writeFileSync(path, '{')
  t.same([file.reload(), file.reload()], ['broken', 'broken'])
  t.same(names(), ['megdocs', 'reports'])
  t.equal(problems.length, 1)
  rmSync(path)
  t.same([file.reload(), file.reload()], ['broken', 'broken'])
  t.same(
    problems.map(({ problems: [first] }) => first?.expected),
    ['valid JSON', 'a readable file (ENOENT)'],
  )
  writeFileSync(path, one)
  t.equal(file.reload(), 'changed')
  t.same(names(), ['megdocs'])
})

t.test('a symlink swap of a mounted directory, as Kubernetes does it, is detected', async (t) => {
  const dir = t.testdir()
  for (const [version, text] of [
    ['v1', one],
    ['v2', both],
  ] as const) {
    mkdirSync(join(dir, version))
    writeFileSync(join(dir, version, 'callers.json'), text)
  }
  symlinkSync('v1', join(dir, '..data'))
  symlinkSync(join('..data', 'callers.json'), join(dir, 'callers.json'))
  const { file, names } = open(join(dir, 'callers.json'))
  t.same(names(), ['megdocs'])
  symlinkSync('v2', join(dir, '..data_tmp'))
  renameSync(join(dir, '..data_tmp'), join(dir, '..data'))
  t.equal(file.reload(), 'changed')
  t.same(names(), ['megdocs', 'reports'])
})

t.test('a file that cannot be used at start is an error', async (t) => {
  const path = join(t.testdir(), 'callers.json')
  t.throws(() => open(path), CallersError)
  writeFileSync(path, '{}')
  t.throws(() => open(path), CallersError)
})
