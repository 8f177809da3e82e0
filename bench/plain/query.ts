// Stands in for dist/http/query.js (docs/decisions/0010-validation-shortcut.md): TypeBox's own conversion.
export { TypeBoxValidatorCompiler as queryValidator } from '@fastify/type-provider-typebox'
