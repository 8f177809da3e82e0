import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 as Ajv, type ValidateFunction } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { type KubernetesObject, TOOLS } from './helm.ts'

/**
 * Checks objects against the schemas of a Kubernetes version and of the Prometheus operator. Unknown fields are errors.
 */

const OPTIONS = { strict: false, validateFormats: false, allErrors: true } as const

/** The problems of the objects, one line each. An object without a schema is a problem. */
export function schemaProblems(objects: readonly KubernetesObject[], kubernetes: string): string[] {
  const folder = join(TOOLS, 'schemas', `v${kubernetes}-local-strict`)
  const ajv = new Ajv(OPTIONS)
  const load = (file: string): object => JSON.parse(readFileSync(join(folder, file), 'utf8')) as object
  ajv.addSchema(load('_definitions.json'), 'https://kubernetes.io/api/_definitions.json')
  return objects.flatMap((object) => {
    const {
      apiVersion,
      kind,
      metadata: { name },
    } = object
    const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
    const file = [kind.toLowerCase(), ...(group === '' ? [] : [group.split('.')[0]]), version].join('-')
    let validate: ValidateFunction | undefined = OPERATOR.get(`${apiVersion} ${kind}`)
    try {
      validate ??= ajv.getSchema(file) ?? ajv.addSchema(load(`${file}.json`), file).getSchema(file)
    } catch (error) {
      return [`${kind} ${name}: ${(error as Error).message}`]
    }
    return validate!(object)
      ? []
      : validate!.errors!.map(
          ({ instancePath, message, params }) => `${kind} ${name} ${instancePath} ${message} ${JSON.stringify(params)}`,
        )
  })
}

interface Definition {
  spec: { group: string; names: { kind: string }; versions: { name: string; schema: { openAPIV3Schema: object } }[] }
}

const OPERATOR = new Map<string, ValidateFunction>(
  readdirSync(join(TOOLS, 'crds')).flatMap((file) => {
    const { spec } = parse(readFileSync(join(TOOLS, 'crds', file), 'utf8')) as Definition
    return spec.versions.map(
      ({ name, schema }) =>
        [
          `${spec.group}/${name} ${spec.names.kind}`,
          new Ajv(OPTIONS).compile(closed(schema.openAPIV3Schema, true)),
        ] as const,
    )
  }),
)

/** An API server drops unknown fields. Here they are errors. */
function closed(node: object, root = false): object {
  if (Array.isArray(node)) return node.map((one) => (typeof one === 'object' && one !== null ? closed(one) : one))
  const copy = Object.fromEntries(
    Object.entries(node).map(([name, value]) => [
      name,
      typeof value === 'object' && value !== null ? closed(value) : value,
    ]),
  ) as Record<string, unknown>
  if (copy['x-kubernetes-int-or-string'] === true) delete copy['type']
  // Go's regular expressions have a flag that JavaScript does not have.
  if (typeof copy['pattern'] === 'string' && copy['pattern'].includes('(?i)')) delete copy['pattern']
  const open = root || 'additionalProperties' in copy || copy['x-kubernetes-preserve-unknown-fields'] === true
  return copy['type'] === 'object' && typeof copy['properties'] === 'object' && !open
    ? { ...copy, additionalProperties: false }
    : copy
}
